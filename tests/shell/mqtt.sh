#!/usr/bin/env bash
# The update trigger of IoTaaP over Debian's Mosquitto: it reaches the topics of a device and of a
# group, the devices update although they would poll only in six hours, and their response codes come
# back. tests/shell/mqtt.sh BINARY, built with the feature mqtt
set -euo pipefail
for tool in mosquitto mosquitto_sub curl; do
  command -v $tool >/dev/null || { echo "$tool is not here"; exit 77; }
done
binary=$1
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill $pid 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT
port=$((20000 + $$ % 20000))
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' $port >"$work/mosquitto.conf"
mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
pids+=($!)
"$binary" serve --mqtt mqtt://127.0.0.1:$port >"$work/said" 2>"$work/log" &
pids+=($!)
# until WHAT COMMAND...: waits until it holds.
until_() {
  local what=$1; shift
  for _ in $(seq 600); do "$@" && { echo "ok: $what"; return; }; sleep 0.1; done
  echo "never came: $what"; cat "$work"/*.log "$work/heard" 2>/dev/null; exit 1
}
member() { tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\)\"\{0,1\}.*/\1/p" | head -1; }
variable() { tr ',' '\n' <"$work/said" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -1; }
until_ "the server" test -s "$work/said"
url=$(variable IOTAAPURL)
bearer="Authorization: Bearer $(variable IOTAAPTOKEN)"
user=$(curl -s -H "$bearer" -XPOST $url/mqtt | member user)
mosquitto_sub -h 127.0.0.1 -p $port -t "/$user/#" -v >"$work/heard" 2>"$work/sub.log" &
pids+=($!)

make() { curl -s -H "$bearer" -H 'Content-Type: application/json' -d '{}' $url/$1; }
alone=$(make devices); member_of=$(make devices); group=$(make groups)
id() { printf '%s' "$1" | member _id; }
token() { printf '%s' "$1" | member token; }
curl -s -H "$bearer" -H 'Content-Type: application/json' -XPUT -d "{\"group\":\"$(id "$group")\"}" $url/devices/$(id "$member_of") >/dev/null
{
  echo "$(id "$alone") $(token "$alone")"
  echo "$(id "$member_of") $(token "$member_of") $(id "$group") $(token "$group")"
} >"$work/keys"
echo 'lifetime = "6 h"' >"$work/persona.toml"
"$binary" fleet --kind iotaap --server $url --devices 2 --firmware 1.0.0 --keys "$work/keys" \
  --persona "$work/persona.toml" --mqtt mqtt://$user@127.0.0.1:$port >"$work/fleet" 2>"$work/fleet.log" &
pids+=($!)
says() { grep -qF "$1" "$work/heard"; }
status() { says "/$user/devices/$1/status" && grep -F "devices/$1/status" "$work/heard" | tail -1 | grep -qF "\"fw_version\":\"$2\""; }
until_ "both say how they are" eval 'status $(id "$alone") 1.0.0 && status $(id "$member_of") 1.0.0'
"$binary" image --firmware 2.0.0 --size 4096 "$work/firmware.bin" >/dev/null

deploy() { curl -s -H "$bearer" -F firmware=@"$work/firmware.bin" -F $1=$2 -F token=$3 -F version=2.0.0 $url/ota/$1 >/dev/null; }
deploy device $(id "$alone") $(token "$alone")
until_ "the trigger of a device" says "/$user/devices/$(id "$alone")/update-trigger"
until_ "200: received" says "/$user/devices/$(id "$alone")/update-response {\"code\":200}"
until_ "201: started" says "/$user/devices/$(id "$alone")/update-response {\"code\":201}"
until_ "the device runs it" status $(id "$alone") 2.0.0
deploy device $(id "$alone") $(token "$alone")
until_ "202: it runs that already" says "/$user/devices/$(id "$alone")/update-response {\"code\":202}"

status $(id "$member_of") 1.0.0 || { echo "the other device was reached by what was not for it"; exit 1; }
publish() { curl -s -H "$bearer" -H 'Content-Type: application/json' -d "{\"topic\":\"$1\",\"message\":\"now\"}" $url/mqtt-rest; }
publish "/groups/$(id "$group")/update-trigger" | grep -qF '"Message published"'
until_ "203: there is none for the group" says "/$user/devices/$(id "$member_of")/update-response {\"code\":203}"
deploy group $(id "$group") $(token "$group")
until_ "the trigger of a group" says "/$user/groups/$(id "$group")/update-trigger"
until_ "its device started" says "/$user/devices/$(id "$member_of")/update-response {\"code\":201}"
until_ "its device runs it" status $(id "$member_of") 2.0.0
