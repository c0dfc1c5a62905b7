#!/usr/bin/env python3
"""The air side as a user runs it: serve, fleet and image, asked over the admin face.

    python3 check_air.py path/to/fotalab
"""

import json
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
    print(f"{results[True]} passed, {results[False]} failed")
    return 1 if results[False] else 0


sys.exit(main())
