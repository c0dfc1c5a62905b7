#!/usr/bin/env bash
# Every curl line of Horde's page on firmware, mended only for host, token and ids, does what the
# page says. tests/shell/horde.sh BINARY
set -euo pipefail
. "$(dirname "$0")/serve.sh"
host=$(variable HORDEURL)
token=$(variable HORDETOKEN)
mkdir -p "$work/build/zephyr"
head -c 144564 /dev/urandom >"$work/build/zephyr/zephyr.signed.bin"
cd "$work"

collectionId=$(curl -s -HX-API-Token:$token -XPOST -d'{}' $host/collections | member collectionId)
expect "a collection" "$collectionId" '^[0-9a-n]{14}$'

# "The management scope can be set to device, collection or disabled on the collection resource."
said=$(curl -s -HX-API-Token:$token -XPATCH -d'{"firmware":{"management": "device"}}' $host/collections/$collectionId)
expect "the management scope" "$said" "\"collectionId\":\"$collectionId\".*\"firmware\":\{\"management\":\"device\"\}"

# "A new firmware image can be uploaded via any tool that supports file uploads via HTTP."
said=$(curl -s -w ' %{http_code}' -HX-API-Token:$token -F image=@build/zephyr/zephyr.signed.bin \
     $host/collections/$collectionId/firmware)
sum=$(sha256sum build/zephyr/zephyr.signed.bin | cut -d' ' -f1)
expect "an upload" "$said" "\"imageId\":\"[0-9a-n]{14}\".*\"filename\":\"zephyr.signed.bin\",\"sha256\":\"$sum\",\"length\":144564,\"collectionId\":\"$collectionId\",\"created\":[0-9]{13},\"tags\":\{\}\} 201$"
imageId=$(printf '%s' "$said" | member imageId)
expect "a version that nobody chose" "$(printf '%s' "$said" | member version)" '^[0-9a-f]{64}$'
said=$(curl -s -w ' %{http_code}' -HX-API-Token:$token -F image=@build/zephyr/zephyr.signed.bin \
     $host/collections/$collectionId/firmware)
expect "not twice with the same checksum" "$said" 'identical image already exists.* 409$'

# "This must be set afterwards."
said=$(curl -s -XPATCH -d'{"version":"1.0"}'  -HX-API-Token:$token $host/collections/$collectionId/firmware/$imageId)
expect "the version is set" "$said" "\"imageId\":\"$imageId\",\"version\":\"1.0\",\"filename\":\"zephyr.signed.bin\",\"sha256\":\"$sum\""

# "It will contain a list of firmware versions uploaded to the backend."
said=$(curl -s -HX-API-Token:$token $host/collections/$collectionId/firmware)
expect "the list" "$said" "^\{\"images\":\[\{\"imageId\":\"$imageId\",\"version\":\"1.0\""

# "Upgrading a device", with the page's own space that is none in front of the token.
curl -s -HX-API-Token:$token -XPATCH -d'{"firmware":{"management": "collection"}}' $host/collections/$collectionId >/dev/null
said=$(curl -s -XPATCH -d'{"firmware":{"targetFirmwareId": "'$imageId'" }}'  -H"X-API-Token:$(printf '\302\240') $token" $host/collections/$collectionId)
expect "a target for the collection" "$said" "\"firmware\":\{\"targetFirmwareId\":\"$imageId\",\"management\":\"collection\"\},\"tags\":\{\}"

# "Listing firmware version on devices."
deviceId=$(curl -s -HX-API-Token:$token -XPOST -d'{"imsi":"4711","imei":"350000000000017"}' $host/collections/$collectionId/devices | member deviceId)
said=$(curl -s -HX-API-Token:$token $host/collections/$collectionId/firmware/$imageId/usage)
expect "who uses it" "$said" "^\{\"firmwareId\":\"$imageId\",\"targetedDevices\":\[\"$deviceId\"\],\"currentDevices\":\[\]\}$"
if grep -qF "$token" "$work/log"; then echo "the token is in the log"; exit 1; fi
