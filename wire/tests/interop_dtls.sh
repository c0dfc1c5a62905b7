#!/bin/sh
# Other people's DTLS clients against ours, on loopback: Debian's libcoap3-bin with OpenSSL and with
# GnuTLS. Each gets an answer with the right key, and none with a wrong key or identity.
# Exit code 0: all held; 1: one did not; 77: no client is installed, nothing was tested.
set -u
cd "$(dirname "$0")/../.." || exit 1

cargo build -q -p fotalab-wire --example dtls_echo || exit 1
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d) || exit 1
"$target/debug/examples/dtls_echo" 127.0.0.1:0 dev1 secretPSK >"$work/address" 2>"$work/log" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
while [ ! -s "$work/address" ]; do
    kill -0 $server 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
done
url="coaps://$(cat "$work/address")/who"

tried=0
failed=0
answers() { # CLIENT IDENTITY KEY
    rm -f "$work/answer"
    timeout 20 "$1" -B 8 -u "$2" -k "$3" -o "$work/answer" "$url" >"$work/client" 2>&1
    verdict "$1 as $2 with key $3 gets its answer" "$(cat "$work/answer" 2>/dev/null)" "$2"
}
refused() { # CLIENT IDENTITY KEY: no answer, and a fatal alert that does not tell which was wrong
    rm -f "$work/answer"
    timeout 20 "$1" -B 8 -u "$2" -k "$3" -o "$work/answer" "$url" >"$work/client" 2>&1
    got="$(cat "$work/answer" 2>/dev/null)$(grep -io -m 1 'bad record mac' "$work/client" | tr A-Z a-z)"
    verdict "$1 as $2 with key $3 is refused" "$got" "bad record mac"
}
verdict() { # WHAT GOT EXPECTED
    if [ "$2" = "$3" ]; then
        echo "ok: $1: $2"
    else
        echo "FAILED: $1: expected '$3', got '$2'" >&2
        cat "$work/client" >&2
        failed=1
    fi
}
for client in coap-client-openssl coap-client-gnutls; do
    if ! command -v $client >/dev/null; then
        echo "SKIPPED: $client is not installed (apt-get install libcoap3-bin)" >&2
        continue
    fi
    tried=$((tried + 1))
    answers $client dev1 secretPSK
    refused $client dev1 wrongPSK0
    refused $client dev2 secretPSK
    # The refusals harmed nobody.
    answers $client dev1 secretPSK
done
if [ $tried = 0 ]; then
    echo "SKIPPED: nothing was tested" >&2
    exit 77
fi
grep -E '^(Established|Failed)' "$work/log" >&2
exit $failed
