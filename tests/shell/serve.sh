# For the scripts beside it: starts `fotalab serve` and says what it says. Needs curl and sed.
# Sourced with the binary as first argument; ends the server with the script.
command -v curl >/dev/null || { echo "curl is not here"; exit 77; }
work=$(mktemp -d)
"$1" serve >"$work/said" 2>"$work/log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 600); do
  [ -s "$work/said" ] && break
  kill -0 $server || { cat "$work/log"; exit 1; }
  sleep 0.1
done
# member NAME: the text (or number) of a member of the JSON on stdin; the first of that name.
member() { tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\)\"\{0,1\}.*/\1/p" | head -1; }
variable() { tr ',' '\n' <"$work/said" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -1; }
# expect WHAT TEXT PATTERN
expect() {
  printf '%s' "$2" | tr -d '\n' | grep -qE "$3" || { printf 'not as it should be: %s\n%s\nexpected %s\n' "$1" "$2" "$3"; exit 1; }
  echo "ok: $1"
}
