#!/usr/bin/env bash
# The form uploads and lists of IoTaaP's pages on OTA of a device and of a group, by curl.
# tests/shell/iotaap.sh BINARY
set -euo pipefail
. "$(dirname "$0")/serve.sh"
url=$(variable IOTAAPURL)
token=$(variable IOTAAPTOKEN)
bearer="Authorization: Bearer $token"
cd "$work"
printf '\351 compiled by PlatformIO' >firmware.bin

for kind in device group; do
  made=$(curl -s -H "$bearer" -H 'Content-Type: application/json' -d '{}' $url/${kind}s)
  id=$(printf '%s' "$made" | member _id)
  secret=$(printf '%s' "$made" | member token)
  said=$(curl -s -H "$bearer" "$url/ota/$kind?draw=warp")
  expect "no OTA of a $kind" "$said" '^\{"otas":\[\],"recordsTotal":0,"recordsFiltered":0,"draw":"warp"\}$'
  said=$(curl -s -w ' %{http_code}' -H "$bearer" -F firmware=@firmware.bin -F $kind=$id -F token=$secret -F version=1.2.7 $url/ota/$kind)
  expect "a deployment to a $kind" "$said" '^\{"message":"Firmware successfully deployed"\} 201$'
  said=$(curl -s -H "$bearer" "$url/ota/$kind?search_value=$id&offset=0&limit=10&draw=warp&order_dir=desc")
  expect "the list of a $kind" "$said" "^\{\"otas\":\[\{\"_id\":\"[0-9a-f]{24}\",\"$kind\":\"$id\",\"__v\":0,\"last_updated\":\"[0-9T:.-]*Z\",\"owner\":\"[0-9a-f]{24}\",\"path\":\"ota/$kind/$id$secret/firmware.bin\",\"version\":\"1.2.7\"\}\],\"recordsTotal\":1,\"recordsFiltered\":1,\"draw\":\"warp\"\}$"
  for missing in $kind token version; do
    form=(-F firmware=@firmware.bin -F $kind=$id -F token=$secret -F version=1.2.7)
    kept=()
    for field in "${form[@]}"; do
      [ "${field%%=*}" = $missing ] && unset 'kept[-1]' && continue
      kept+=("$field")
    done
    said=$(curl -s -w ' %{http_code}' -H "$bearer" "${kept[@]}" $url/ota/$kind)
    expect "a $kind without $missing" "$said" "^\{\"message\":\"$missing is a mandatory field\"\} 400$"
  done
  said=$(curl -s -w ' %{http_code}' -H "$bearer" -F $kind=$id -F token=$secret -F version=1.2.7 $url/ota/$kind)
  expect "a $kind without a file" "$said" '^\{"message":"No file uploaded"\} 400$'
  said=$(curl -s -w ' %{http_code}' -H "$bearer" -F firmware=@firmware.bin -F $kind=$id -F token=wrong -F version=1.2.7 $url/ota/$kind)
  expect "a $kind with a wrong token" "$said" "^\{\"message\":\"No such $kind\"\} 404$"
  said=$(curl -s -w ' %{http_code}' -F firmware=@firmware.bin $url/ota/$kind)
  expect "nobody" "$said" '^Unauthorized 401$'
  # What the device asks, as an ESP32 does: HTTP/1.0, no token.
  expect "latest of a $kind" "$(curl -s $url/ota/$kind/latest/$id)" '^\{"ver":"1.2.7"\}$'
  curl -s -0 -D head -o got -A ESP32-http-Update -H 'x-ESP32-mode: sketch' $url/ota/$kind/download/$id$secret
  expect "its length" "$(tr -d '\r' <head)" "[Cc]ontent-[Ll]ength: $(stat -c %s firmware.bin)"
  expect "its MD5" "$(tr -d '\r' <head)" "[Xx]-[Mm][Dd]5: $(md5sum firmware.bin | cut -d' ' -f1)"
  cmp got firmware.bin
  if grep -qF "$secret" "$work/log"; then echo "a token is in the log"; exit 1; fi
done
