#!/usr/bin/env python3
"""CoAP clients of others read the firmware that `fotalab serve` offers: Debian's libcoap on OpenSSL
and GnuTLS with a key, libcoap without TLS, and aiocoap where it is installed. A device built on aiocoap
is read, observed and updated by push and by pull.

    python3 check_clients.py path/to/fotalab

Exit code 77: none of them is installed, and nothing was tested.
"""

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

FOTALAB = str(Path(sys.argv[1]).resolve())
KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# libcoap's clients take a key as text: one that is printable.
TEXT_KEY = "a key of 16 byte"
IMAGE = hashlib.shake_256(b"fotalab").digest(100_000)
results = {True: 0, False: 0}


def check(what, holds, told=""):
    results[bool(holds)] += 1
    print(f"{'ok     ' if holds else 'FAILED '} {what}{'' if holds else f': {told}'}")


def ask(context, method, path, body, kind="application/json"):
    headers = {"Authorization": f"Bearer {context['ADMINTOKEN']}", "Content-Type": kind}
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(context["ADMINURL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def get(folder, client, arguments, url):
    """What a client fetched, and what it said."""
    out = folder / "got"
    out.unlink(missing_ok=True)
    ran = subprocess.run([client, "-B", "20", "-m", "get", "-o", str(out), *arguments, url],
                         capture_output=True, text=True, timeout=60)
    return out.read_bytes() if out.exists() else b"", ran.stdout + ran.stderr


def plain(context, folder, path):
    client = "coap-client-notls"
    for size in ("16", "64", "512", "1024"):
        got, told = get(folder, client, ["-b", size], context["COAPURL"] + path)
        check(f"{client} gets the image in blocks of {size}", got == IMAGE, (len(got), told))
    got, told = get(folder, client, [], context["COAPURL"] + path + "x")
    check(f"{client} is told 4.04 for another path", "4.04" in told, told)


def sealed(context, folder, path, client):
    url = context["COAPSURL"] + path
    got, told = get(folder, client, ["-u", "meter-1", "-k", TEXT_KEY], url)
    check(f"{client} gets the image over DTLS", got == IMAGE, (len(got), told))
    for who, key in (("meter-1", "another 16 bytes"), ("meter-2", TEXT_KEY)):
        got, told = get(folder, client, ["-u", who, "-k", key], url)
        check(f"{client} as {who} with the wrong key or none is refused", got == b"", told)


async def aio(context, path):
    import aiocoap
    client = await aiocoap.Context.create_client_context()
    answer = await client.request(aiocoap.Message(code=aiocoap.GET, uri=context["COAPURL"] + path)).response
    check("aiocoap gets the image", answer.payload == IMAGE, answer)
    links = b'</>;rt="oma.lwm2m",</1/0>,</3/0>,' + b",".join(b"</%d/0>" % it for it in range(1000, 1300))
    register = aiocoap.Message(code=aiocoap.POST, payload=links, content_format=40,
                               uri=context["COAPURL"] + "/rd?ep=by-aiocoap&lt=300&lwm2m=1.1&b=U")
    answer = await client.request(register).response
    check("aiocoap registers with a list of objects in several blocks",
          str(answer.code) == "2.01 Created" and answer.opt.location_path[0] == "rd", answer)
    await client.shutdown()
    known = json.load(urllib.request.urlopen(urllib.request.Request(
        context["ADMINURL"] + "/devices/by-aiocoap",
        headers={"Authorization": f"Bearer {context['ADMINTOKEN']}"}), timeout=20))
    check("the server knows the last of those objects", "/1299/0" in json.dumps(known), known)


async def devices(context, image):
    """A device of nobody here: registered, read, observed, and updated in both ways."""
    from aiocoap_device import Device
    version = hashlib.sha256(IMAGE).hexdigest()[:12]
    for way in ("push", "pull:coap"):
        device = Device(f"aiocoap-{way[:4]}", context["COAPURL"], "0.9")
        await device.start()
        told = lambda path, *more: asyncio.to_thread(ask, context, "POST", path, *more)  # noqa: E731
        read = {"operation": "read", "path": "/3/0/3"}
        answer = await told(f"/devices/{device.endpoint}/operations", read)
        check(f"{device.endpoint} is read", answer.get("value") == "0.9", answer)
        body = {"device": device.endpoint, "image": image["id"], "transfer": way, "version": version}
        update = await told("/updates", body)
        seen = {}
        for _ in range(200):
            seen = await asyncio.to_thread(ask, context, "GET", f"/updates/{update['id']}", None)
            if seen["state"] in ("succeeded", "failed"):
                break
            await asyncio.sleep(0.1)
        check(f"{device.endpoint} is updated by {way}", seen["state"] == "succeeded", seen)
        check(f"{device.endpoint} flashed the image", device.flash == IMAGE, len(device.flash))
        check(f"{device.endpoint} was executed once", device.executed == 1, device.executed)
        await device.context.shutdown()


def main():
    clients = [it for it in ("coap-client-openssl", "coap-client-gnutls") if shutil.which(it)]
    notls = shutil.which("coap-client-notls")
    try:
        import aiocoap  # noqa: F401
        has_aiocoap = True
    except ImportError:
        has_aiocoap = False
    if not (clients or notls or has_aiocoap):
        print("SKIPPED: neither libcoap's clients nor aiocoap are installed", file=sys.stderr)
        return 77
    server = subprocess.Popen([FOTALAB, "serve", "--coap", "127.0.0.1:0", "--coaps", "127.0.0.1:0"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        context = json.loads(server.stdout.readline())
        image = ask(context, "POST", "/images", IMAGE, "application/octet-stream")
        ask(context, "PUT", "/devices/meter-1", {"psk": TEXT_KEY.encode().hex()})
        ask(context, "PUT", "/devices/meter-2", {"psk": KEY})
        path = f"/fw/{image['id']}"
        with tempfile.TemporaryDirectory() as folder:
            if notls:
                plain(context, Path(folder), path)
            for client in clients:
                sealed(context, Path(folder), path, client)
        if has_aiocoap:
            asyncio.run(aio(context, path))
            asyncio.run(devices(context, image))
        else:
            print("SKIPPED: aiocoap is not installed", file=sys.stderr)
    finally:
        server.terminate()
        check("the server ends cleanly on SIGTERM", server.wait(timeout=20) == 0)
    print(f"{results[True]} passed, {results[False]} failed")
    return 1 if results[False] else 0


sys.exit(main())
