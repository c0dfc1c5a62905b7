#!/usr/bin/env python3
"""An adapter for the profile of a server that fotalab has none for: JSON lines on standard input
and output, as src/target/adapter/exec.rs says. This one asks a server that has fotalab's own admin
face, so that it can be tested; yours says the same to your server's API.

    [exec]
    command = ["python3", "adapter.py"]
"""

import base64
import json
import os
import sys
import threading
import urllib.error
import urllib.request

URL, TOKEN = os.environ["ADMINURL"], os.environ["ADMINTOKEN"]
writing = threading.Lock()


def say(answer):
    with writing:
        print(json.dumps(answer), flush=True)


def ask(method, path, body=None, kind="application/json"):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def listen():
    """Server-sent events as lines of JSON (https://html.spec.whatwg.org, 9.2.6)."""
    request = urllib.request.Request(URL + "/events", headers={"Authorization": f"Bearer {TOKEN}"})
    events = urllib.request.urlopen(request)

    def pass_on():
        kind = ""
        for line in events:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                say({"event": kind, **json.loads(value)})

    threading.Thread(target=pass_on, daemon=True).start()
    return {}


def carry_out(asked):
    match asked["ask"]:
        case "image":
            return ask("POST", "/images", base64.b64decode(asked["bytes"]), "application/octet-stream")
        case "update":
            fields = ("device", "image", "transfer", "version")
            return ask("POST", "/updates", {it: asked[it] for it in fields if it in asked})
        case "look":
            return ask("GET", "/updates/" + asked["update"])
        case "cancel":
            return ask("DELETE", "/updates/" + asked["update"])
        case "known":
            try:
                return ask("GET", "/devices/" + asked["device"])
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return {"endpoint": asked["device"], "registration": None}
                raise
        case "listen":
            return listen()
        case "operate":
            return ask("POST", f"/devices/{asked['device']}/operations", asked["operation"])
        case other:
            raise ValueError(f"{other} is not known here")


def answer(asked):
    try:
        say({"id": asked["id"], "answer": carry_out(asked)})
    except urllib.error.HTTPError as error:
        say({"id": asked["id"], "error": f"{error.code}: {error.read().decode()}"})
    except Exception as error:
        say({"id": asked["id"], "error": str(error)})


for line in sys.stdin:
    # Each in its own time: a device that sleeps answers when it wakes up.
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
