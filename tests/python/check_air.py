#!/usr/bin/env python3
"""The air side as a user runs it: serve, fleet and image, asked over the admin face.

    python3 check_air.py path/to/fotalab
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

FOTALAB = str(Path(sys.argv[1]).resolve())
results = {True: 0, False: 0}


def check(what, holds, told=""):
    results[bool(holds)] += 1
    print(f"{'ok     ' if holds else 'FAILED '} {what}{'' if holds else f': {told}'}")


def ask(context, method, path, body=None, kind="application/json"):
    headers = {"Authorization": f"Bearer {context['ADMINTOKEN']}", "Content-Type": kind}
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(context["ADMINURL"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def wait_for_devices(context):
    """A device is known once it has registered; until then it is a 404."""
    deadline = time.monotonic() + 20
    for number in range(5):
        while time.monotonic() < deadline:
            try:
                if ask(context, "GET", f"/devices/dev-{number}").get("registration"):
                    break
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            time.sleep(0.1)


def start(*arguments):
    return subprocess.Popen([FOTALAB, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def update_five(image, url, transfers, serve, fleet_arguments):
    """Five devices, each updated in its way."""
    server = start("serve", *serve)
    fleet = None
    try:
        context = json.loads(server.stdout.readline())
        fleet = start("fleet", "--server", context[url], "--devices", "5", "--endpoint", "dev-{}",
                      "--until", "updated", "--within", "60s", *fleet_arguments)
        known = ask(context, "POST", "/images", image.read_bytes(), "application/octet-stream")
        wait_for_devices(context)
        updates = []
        for number, transfer in enumerate(transfers):
            secured = ask(context, "GET", f"/devices/dev-{number}")["registration"]["secured"]
            check(f"dev-{number} registered at {url}", secured == (url == "COAPSURL"))
            body = {"device": f"dev-{number}", "image": known["id"], "transfer": transfer}
            updates.append(ask(context, "POST", "/updates", body)["id"])
        summary = json.loads(fleet.communicate(timeout=90)[0])
        check("the fleet ends when all are updated", fleet.returncode == 0, summary)
        check("every device runs the new version", summary["versions"] == {"2.0.0": 5}, summary)
        check("every device says that it succeeded", summary["results"] == {"success": 5}, summary)
        for update in (ask(context, "GET", f"/updates/{it}") for it in updates):
            states = [it["state"] for it in update["history"]]
            wanted = ["queued", "downloading", "downloaded", "updating"]
            check(f"{update['device']} went through every state", all(it in states for it in wanted), update)
    finally:
        for process in (fleet, server):
            if process:
                process.terminate()
        check("the server ends cleanly on SIGTERM", server.wait(timeout=20) == 0)


def refused(config):
    """A device with another key than the server knows does not register."""
    server = start("serve", "--config", str(config))
    try:
        context = json.loads(server.stdout.readline())
        fleet = start("fleet", "--server", context["COAPSURL"], "--endpoint", "dev-0",
                      "--psk", "dev-0:ff", "--until", "registered", "--within", "3s")
        told = json.loads(fleet.communicate(timeout=30)[0])
        check("a wrong key does not register", fleet.returncode == 100 and told["registered"] == 0, told)
        fleet = start("fleet", "--server", context["COAPURL"], "--endpoint", "dev-0",
                      "--until", "registered", "--within", "3s")
        told = json.loads(fleet.communicate(timeout=30)[0])
        check("who has a key is not heard without it", fleet.returncode == 100 and told["registered"] == 0, told)
    finally:
        server.terminate()
        server.wait(timeout=20)


def client_hello():
    """The first datagram of a DTLS-PSK handshake, from RFC 6347 4.2.2 and RFC 4279."""
    body = b"\xfe\xfd" + os.urandom(32) + b"\x00\x00" + b"\x00\x02\xc0\xa8" + b"\x01\x00" + b"\x00\x04\x00\x17\x00\x00"
    length = len(body).to_bytes(3, "big")
    handshake = b"\x01" + length + bytes(2) + bytes(3) + length + body
    return b"\x16\xfe\xfd" + bytes(8) + len(handshake).to_bytes(2, "big") + handshake


def resident_kib(process):
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(it.split()[1]) for it in lines if it.startswith("VmRSS:")), 0)


def flooded(image, config, key, count):
    """Handshakes that nobody finishes, each from an address of its own; a bystander is updated meanwhile."""
    server = start("serve", "--config", str(config))
    fleet = None
    try:
        context = json.loads(server.stdout.readline())
        host, port = context["COAPSURL"].removeprefix("coaps://").split(":")
        known = ask(context, "POST", "/images", image.read_bytes(), "application/octet-stream")
        ask(context, "POST", "/updates", {"device": "dev-0", "image": known["id"], "transfer": "push"})
        before = resident_kib(server)
        fleet = start("fleet", "--server", context["COAPSURL"], "--endpoint", "dev-0", "--psk", f"id-0:{key}",
                      "--until", "updated", "--within", "120s")
        answered = 0
        for number in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                attacker.bind((f"127.{100 + number // 65025}.{number // 255 % 255}.{number % 255 + 1}", 0))
                attacker.sendto(client_hello(), (host, int(port)))
                if number % 100 == 0:
                    attacker.settimeout(5)
                    answered += attacker.recv(2048)[:1] == b"\x16"
        check("handshakes are answered one by one", answered == -(-count // 100), answered)
        told = json.loads(fleet.communicate(timeout=150)[0])
        check("the bystander is updated all the same", told["versions"] == {"2.0.0": 1}, told)
        grown = resident_kib(server) - before
        check(f"{count} half-open handshakes take {grown} KiB", grown < 64 * 1024, grown)
    finally:
        for process in (fleet, server):
            if process:
                process.terminate()
        server.wait(timeout=20)


def main():
    directory = Path(tempfile.mkdtemp())
    image = directory / "fw.bin"
    made = [FOTALAB, "image", "--firmware", "2.0.0", "--size", "50000", "--seed", "1", str(image)]
    check("an image is made", subprocess.run(made, stdout=subprocess.DEVNULL).returncode == 0)
    check("it has the size that was asked for", image.stat().st_size == 50000)
    update_five(image, "COAPURL", ["push", "push", "push", "pull:coap", "pull:coap"], ["--coap", "127.0.0.1:0"], [])
    key = "000102030405060708090a0b0c0d0e0f"
    config = directory / "serve.toml"
    config.write_text("".join(f'[devices.dev-{it}]\npsk = "{key}"\npskIdentity = "id-{it}"\n' for it in range(5)))
    persona = directory / "persona.toml"
    persona.write_text('protocols = ["coap", "coaps"]\n')
    update_five(image, "COAPSURL", ["push", "push", "pull:coaps", "pull:coaps", "pull"],
                ["--coaps", "127.0.0.1:0", "--config", str(config)],
                ["--psk", f"id-{{}}:{key}", "--persona", str(persona)])
    refused(config)
    flooded(image, config, key, 10000)
    print(f"{results[True]} passed, {results[False]} failed")
    return 1 if results[False] else 0


sys.exit(main())
