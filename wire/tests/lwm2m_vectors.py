#!/usr/bin/env python3
"""Remakes lwm2m_vectors.json: payloads written by other people's implementations.

    python3 -m venv venv && venv/bin/pip install aiocoap==0.4.17 cbor2==6.2.1 kpn-senml==1.0.1
    npm install lwm2m-codec@0.1.1         # in the directory that NODE_PATH's node_modules is in
    NODE_PATH=.../node_modules venv/bin/python lwm2m_vectors.py > lwm2m_vectors.json

- TLV and LwM2M JSON: lwm2m-codec (npm, MIT). It always puts the instance entry around resources.
- SenML JSON and CBOR packs: kpn-senml (PyPI, MIT). Its JSON cannot do bytes under Python 3.
- CBOR, definite and indefinite, and SenML CBOR by table 4 of RFC 8428: cbor2 (PyPI, MIT).
- CoRE links: aiocoap (PyPI, MIT) writes the payload and reads it back.

"exact": our encoder must write the very same bytes. Object 1000 is the one of tests/lwm2m/main.rs,
whose resources have a type each.
"""

import builtins
import json
import os
import subprocess

import cbor2
from aiocoap.util import linkformat
from kpn_senml import SenmlPack, SenmlRecord

builtins.basestring = str  # kpn-senml is of Python 2 here

VECTORS = []


def vector(source, number, base, payload, values, exact=False):
    VECTORS.append({
        "source": source, "format": number, "base": base, "payload": payload.hex(),
        "values": [{"path": path, "kind": kind, "value": value} for path, kind, value in values],
        "exact": exact,
    })


def tlv_and_json():
    """Numbers are floats in lwm2m-codec unless its dictionary says integer; so core objects."""
    cases = [
        ("/3/0", {0: "ACME", 3: "1.2.3", 9: 100, 10: 70000, 13: 1367491215}, [
            ("/3/0/0", "string", "ACME"), ("/3/0/3", "string", "1.2.3"), ("/3/0/9", "integer", 100),
            ("/3/0/10", "integer", 70000), ("/3/0/13", "time", 1367491215)]),
        ("/3/0", {6: {0: 1, 1: 5}, 7: {0: 3800, 1: -5000}, 11: {0: 0}}, [
            ("/3/0/6/0", "integer", 1), ("/3/0/6/1", "integer", 5), ("/3/0/7/0", "integer", 3800),
            ("/3/0/7/1", "integer", -5000), ("/3/0/11/0", "integer", 0)]),
        ("/1/0", {0: 101, 1: 86400, 6: True, 7: "U"}, [
            ("/1/0/0", "integer", 101), ("/1/0/1", "integer", 86400), ("/1/0/6", "boolean", True),
            ("/1/0/7", "string", "U")]),
        ("/1", {0: {0: 1, 6: False}, 300: {0: 2}}, [
            ("/1/0/0", "integer", 1), ("/1/0/6", "boolean", False), ("/1/300/0", "integer", 2)]),
        ("/5/0/1", "coap://198.51.100.1/" + "f" * 240, [
            ("/5/0/1", "string", "coap://198.51.100.1/" + "f" * 240)]),
        ("/5/0/3", 2, [("/5/0/3", "integer", 2)]),
        ("/4/0/2", -92, [("/4/0/2", "integer", -92)]),
        ("/4/0/8", -2147483648, [("/4/0/8", "integer", -2147483648)]),
        ("/3303/0", {5700: 22.5, 5701: "Cel"}, [
            ("/3303/0/5700", "float", 22.5), ("/3303/0/5701", "string", "Cel")]),
        ("/3303/0/5700", -40.25, [("/3303/0/5700", "float", -40.25)]),
    ]
    script = """
        const codec = require('lwm2m-codec');
        const cases = JSON.parse(require('fs').readFileSync(0));
        const out = cases.map(([base, value]) => ['tlv', 'json'].map((format) =>
            Buffer.from(codec.encode(format, base, value)).toString('hex')));
        console.log(JSON.stringify(out));
    """
    given = json.dumps([[base, value] for base, value, _ in cases])
    done = subprocess.run(["node", "-e", script], input=given, capture_output=True, text=True, check=True)
    for (base, _, values), (tlv, old_json) in zip(cases, json.loads(done.stdout)):
        # The instance entry around the resources of one instance is allowed and not ours.
        exact = base.count("/") != 2
        # Its TLV writes instances of integers as decimal text, which is a mistake of its own.
        if not any(path.count("/") == 4 for path, _, _ in values):
            vector("lwm2m-codec 0.1.1", 11542, base, bytes.fromhex(tlv), values, exact)
        vector("lwm2m-codec 0.1.1", 11543, base, bytes.fromhex(old_json), values)


def senml_of_kpn():
    pack = SenmlPack("/1000/0/")
    pack.add(SenmlRecord("0", value="Grüße, \"Welt\" \\"))
    pack.add(SenmlRecord("1", value=-123456789012345678))
    pack.add(SenmlRecord("3", value=0.1))
    pack.add(SenmlRecord("4", value=True))
    pack.add(SenmlRecord("11/7", value=7))
    values = [("/1000/0/0", "string", "Grüße, \"Welt\" \\"), ("/1000/0/1", "integer", -123456789012345678),
              ("/1000/0/3", "float", 0.1), ("/1000/0/4", "boolean", True),
              ("/1000/0/11/7", "integer", 7)]
    vector("kpn-senml 1.0.1", 110, "/1000/0", pack.to_json().encode(), values)
    vector("kpn-senml 1.0.1", 112, "/1000/0", pack.to_cbor(), values)

    # It subtracts the base fields from what it is given, and so does not mean 10 + 5.
    pack = SenmlPack("/1000/")
    pack.base_time = 1000000000
    pack.base_value = 10
    pack.add(SenmlRecord("0/1", value=5, time=20))
    pack.add(SenmlRecord("1/1", value=-15))
    values = [("/1000/0/1", "integer", 5), ("/1000/1/1", "integer", -15)]
    vector("kpn-senml 1.0.1, base time and value", 110, "/1000", pack.to_json().encode(), values)
    vector("kpn-senml 1.0.1, base time and value", 112, "/1000", pack.to_cbor(), values)


class Indefinite:
    """cbor2 writes definite lengths; these are the same items with indefinite ones."""

    @staticmethod
    def pack(records):
        out = b"\x9f"
        for record in records:
            out += b"\xbf"
            for key, value in record.items():
                out += cbor2.dumps(key)
                if isinstance(value, str):
                    half = len(value) // 2
                    out += b"\x7f" + cbor2.dumps(value[:half]) + cbor2.dumps(value[half:]) + b"\xff"
                elif isinstance(value, bytes):
                    half = len(value) // 2
                    out += b"\x5f" + cbor2.dumps(value[:half]) + cbor2.dumps(value[half:]) + b"\xff"
                else:
                    out += cbor2.dumps(value)
            out += b"\xff"
        return out + b"\xff"


def senml_cbor_by_hand():
    records = [{-2: "/1000/0/", 0: "0", 3: "x" * 300}, {0: "1", 2: -2**63}, {0: "2", 2: 2**64 - 1},
               {0: "4", 4: False}, {0: "5", 8: bytes(range(40))}, {0: "6", 2: 1367491215}, {0: "7", "vlo": "66:1"},
               {0: "8", 3: "</3/0>"}, {0: "12/0", 2: 0}, {0: "12/65534", 2: 70000}]
    values = [("/1000/0/0", "string", "x" * 300), ("/1000/0/1", "integer", -2**63),
              ("/1000/0/2", "unsigned", 2**64 - 1), ("/1000/0/4", "boolean", False),
              ("/1000/0/5", "opaque", bytes(range(40)).hex()), ("/1000/0/6", "time", 1367491215),
              ("/1000/0/7", "object-link", "66:1"), ("/1000/0/8", "core-link", "</3/0>"),
              ("/1000/0/12/0", "unsigned", 0), ("/1000/0/12/65534", "unsigned", 70000)]
    vector("cbor2 6.2.1", 112, "/1000/0", cbor2.dumps(records), values, True)
    vector("cbor2 6.2.1, indefinite", 112, "/1000/0", Indefinite.pack(records), values)
    floats = [{-2: "/1000/", 0: "0/3", 2: 1.5}, {0: "1/3", 2: 0.1}, {0: "2/3", 2: 7}]
    values = [("/1000/0/3", "float", 1.5), ("/1000/1/3", "float", 0.1), ("/1000/2/3", "float", 7.0)]
    vector("cbor2 6.2.1, float64", 112, "/1000", cbor2.dumps(floats), values)
    vector("cbor2 6.2.1, shortest floats", 112, "/1000", cbor2.dumps(floats, canonical=True), values)
    base = [{-2: "/1000/0/", -3: 1e9, -5: 1.5, 0: "3", 2: 2, 6: -5}, {0: "3", 2: 4, 6: 10.5}]
    vector("cbor2 6.2.1, newest of two times", 112, "/1000/0", cbor2.dumps(base), [("/1000/0/3", "float", 5.5)])


def plain_cbor():
    for base, kind, value, item in [
        ("/1000/0/0", "string", "Grüße", "Grüße"),
        ("/1000/0/1", "integer", -1000, -1000),
        ("/1000/0/2", "unsigned", 2**63, 2**63),
        ("/1000/0/4", "boolean", True, True),
        ("/1000/0/5", "opaque", "00ff", b"\x00\xff"),
        ("/1000/0/6", "time", 1363896240, cbor2.CBORTag(1, 1363896240)),
        ("/1000/0/7", "object-link", "3:0", "3:0"),
        ("/1000/0/12/3", "unsigned", 24, 24),
    ]:
        vector("cbor2 6.2.1", 60, base, cbor2.dumps(item), [(base, kind, value)], True)
    vector("cbor2 6.2.1", 60, "/1000/0/3", cbor2.dumps(0.1), [("/1000/0/3", "float", 0.1)], True)
    vector("cbor2 6.2.1", 60, "/1000/0/3", cbor2.dumps(1.5, canonical=True), [("/1000/0/3", "float", 1.5)])


def links():
    out = []
    for case in [
        [("/", [("rt", "oma.lwm2m"), ("ct", "110 112 60")]), ("/1/0", []), ("/5", [("ver", "1.1")]), ("/5/0", [])],
        [("/lwm2m", [("rt", "oma.lwm2m")]), ("/lwm2m/1/0", []), ("/lwm2m/3/0", [])],
        [("/3/0/6", [("dim", "2"), ("pmin", "10"), ("pmax", "60")]), ("/3/0/7", [("lt", "-5.5"), ("gt", "20")])],
        [("/a", [("title", 'x, y; "z"'), ("obs", None)]), ("/b?c=d", [("sz", "7")])],
    ]:
        written = linkformat.LinkFormat([linkformat.Link(target, attributes) for target, attributes in case])
        text = str(written)
        read = [(link.href, [tuple(pair) for pair in link.attr_pairs]) for link in linkformat.parse(text).links]
        assert read == case, (read, case)
        out.append({"source": "aiocoap 0.4.17", "payload": text.encode().hex(),
                    "links": [{"target": target, "attributes": attributes} for target, attributes in case]})
    return out


if __name__ == "__main__":
    os.environ.setdefault("NODE_PATH", "node_modules")
    tlv_and_json()
    senml_of_kpn()
    senml_cbor_by_hand()
    plain_cbor()
    body = {"made by": "lwm2m_vectors.py", "vectors": VECTORS, "links": links()}
    print(json.dumps(body, indent=1, ensure_ascii=False))
