#!/bin/sh
# Wireshark's reader against our pcapng files: every checksum is right, and the key log in the file
# opens the DTLS session in it. Exit code 0: it holds; 1: it does not; 77: tshark is not installed.
set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v tshark >/dev/null; then
    echo "SKIPPED: tshark is not installed, nothing was tested" >&2
    exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cargo run -q -p fotalab-wire --example dtls_capture -- "$work/capture.pcapng" || exit 1
tshark -r "$work/capture.pcapng" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
    -T fields -e udp.checksum.status -e ip.checksum.status -e coap.opt.uri_path 2>/dev/null \
    >"$work/fields" || exit 1
cat "$work/fields"
# 6 datagrams of the handshake, one sealed request to /rd, one request in the clear over IPv6;
# status 1 is good.
expected=$(printf '1\t1\t\n%.0s' 1 2 3 4 5 6; printf '1\t1\trd\n1\t\trd')
if [ "$(cat "$work/fields")" = "$expected" ]; then
    echo "ok: checksums are right and the secrets open the session"
else
    echo "FAILED: expected
$expected" >&2
    exit 1
fi
