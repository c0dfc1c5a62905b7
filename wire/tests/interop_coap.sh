#!/usr/bin/env bash
# Lets CoAP programs of others talk to our endpoint: Debian's libcoap (coap-client-notls,
# coap-server-notls) and PyPI's aiocoap. What is not installed is skipped, loudly.
# Needs: apt-get install libcoap3-bin; pip install aiocoap
set -u
cd "$(dirname "$0")/../.."
cargo build -q -p fotalab-wire --example coap_server || exit 1
bin="${CARGO_TARGET_DIR:-target}/debug/examples/coap_server"
dir=$(mktemp -d)
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT

"$bin" 127.0.0.1:0 >"$dir/address" & pids+=($!)
for _ in $(seq 50); do [ -s "$dir/address" ] && break; sleep 0.1; done
address=$(cat "$dir/address")
passed=0 failed=0 skipped=0
check() { # what, then a command that must succeed
    local what=$1; shift
    if "$@" >"$dir/out" 2>&1; then passed=$((passed + 1)); echo "ok      $what"
    else failed=$((failed + 1)); echo "FAILED  $what"; tail -5 "$dir/out"; fi
}
# Free for UDP and TCP (aiocoap's server takes both), and below what the kernel hands out by itself.
free_port() {
    python3 - <<'PORT'
import random, socket
while True:
    port = random.randrange(20000, 30000)
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            socket.socket(socket.AF_INET, kind).bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break
PORT
}
skip() { skipped=$((skipped + $2)); echo "SKIPPED $2 checks: $1 is not installed" >&2; }
python3 -c 'import sys; sys.stdout.buffer.write(bytes((n ^ n >> 8) & 255 for n in range(100000)))' >"$dir/fw"
head -c 70000 "$dir/fw" >"$dir/up"

if command -v coap-client-notls >/dev/null; then
    client() { coap-client-notls -B 20 "$@"; }
    for size in 16 64 1024; do
        get() { client -b "$size" -m get -o "$dir/got" "coap://$address/fw" && cmp "$dir/got" "$dir/fw"; }
        check "libcoap gets /fw in blocks of $size" get
    done
    put() { client -b "$1" -m put -f "$dir/up" "coap://$address/sink" \
        && client -m get -o "$dir/back" "coap://$address/sink" && cmp "$dir/back" "$dir/up"; }
    check "libcoap puts /sink in blocks of 1024" put 1024
    check "libcoap puts /sink in blocks of 64" put 64
    slow() { client -m get "coap://$address/slow" | grep -q late; }
    check "libcoap waits for a separate response" slow
    observe() { coap-client-notls -s 4 -B 6 -m get "coap://$address/counter" >"$dir/seen"; [ "$(grep -c '^[0-9]' "$dir/seen")" -ge 3 ]; }
    check "libcoap observes /counter" observe
    missing() { client -m get "coap://$address/nothing" 2>&1 | grep -q 4.04; }
    check "libcoap is told 4.04" missing
else skip coap-client-notls 8; fi

if command -v coap-server-notls >/dev/null; then
    port=$(free_port)
    coap-server-notls -A 127.0.0.1 -p "$port" -d 10 >/dev/null 2>&1 & pids+=($!)
    sleep 0.5
    check "we put and get at libcoap's server" "$bin" --fetch "127.0.0.1:$port"
else skip coap-server-notls 1; fi

if python3 -c 'import aiocoap' 2>/dev/null; then
    check "aiocoap gets, puts and observes" timeout 60 python3 wire/tests/interop_aiocoap.py client "$address" "$dir/fw"
    port=$(free_port)
    timeout 60 python3 wire/tests/interop_aiocoap.py server "$port" & pids+=($!)
    sleep 1
    check "we put and get at aiocoap's server" "$bin" --fetch "127.0.0.1:$port"
else skip aiocoap 2; fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
