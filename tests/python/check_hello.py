#!/usr/bin/env python3
"""Checks what both generations of the hello.nrfcloud API say against schemas written by hand.

usage: python3 tests/python/check_hello.py path/to/fotalab
"""

import sys

import environment

if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    environment.enter()

import contextlib  # noqa: E402
import json  # noqa: E402
import socket  # noqa: E402
import urllib.parse  # noqa: E402

import jsonschema  # noqa: E402
import websockets.exceptions  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

import schemas  # noqa: E402
from lab import Cloud, Results, Server, ask, shadow, until, upstream_job  # noqa: E402

GENERATIONS = ("hello-job-executions", "hello-jobs")
PATH = {"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}}


class Generation:
    """The checks of one generation, with devices of its own."""

    def __init__(self, results, server, cloud, name):
        self.results, self.server, self.cloud, self.name = results, server, cloud, name
        profile = server.profile(name)
        self.api, self.ws = profile["APIURL"], profile["WSURL"]
        self.old = name == "hello-job-executions"
        self.devices = 0

    # -- devices and requests

    def device(self, known_shadow=True, model="PCA20065", **reported):
        self.devices += 1
        number = GENERATIONS.index(self.name) * 100 + self.devices
        device = f"oob-3500066600{number:05d}"
        alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
        fingerprint = f"92b.aaaa{alphabet[number // 32]}{alphabet[number % 32]}"
        body = {"fingerprint": fingerprint, "model": model}
        if model != "unsupported":
            body["account"] = "nordic"
        if known_shadow:
            self.cloud.shadows[device] = shadow(device, **reported)
        self.server.admin(f"devices/{device}", body)
        return device, fingerprint

    def url(self, device, fingerprint, route):
        return f"{self.api}/device/{device}/{route}?fingerprint={fingerprint}"

    # -- checks

    def check(self, name, holds, why=""):
        return self.results.check(f"{self.name}: {name}", holds, why)

    def conforms(self, name, document, schema):
        validator = jsonschema.Draft202012Validator(schema)
        wrong = [f"{it.json_path}: {it.message}" for it in validator.iter_errors(document)]
        return self.check(name, not wrong, "; ".join(wrong)[:500])

    def answers(self, name, answer, status, schema):
        self.check(f"{name} is answered with {status}", answer.status == status, repr(answer))
        kind = answer.headers.get("Content-Type")
        self.check(f"{name} says that it is JSON", kind == "application/json", kind)
        return self.conforms(f"{name} has the body of the contract", answer.json, schema)

    def is_problem(self, name, answer, status, title=None):
        self.check(f"{name} is answered with {status}", answer.status == status, repr(answer))
        kind = answer.headers.get("Content-Type")
        self.check(f"{name} says that it is a problem", kind == "application/problem+json", kind)
        self.conforms(f"{name} is a problem document", answer.json, schemas.PROBLEM)
        document = answer.json if isinstance(answer.json, dict) else {}
        self.check(f"{name} repeats its status", document.get("status") == status, repr(answer))
        if title:
            self.check(f"{name} is called `{title}`", document.get("title") == title, repr(answer))

    def receives(self, name, socket_, wanted):
        """The first message that fits; everything that comes has to conform."""
        seen = []
        with contextlib.suppress(TimeoutError):
            while True:
                message = json.loads(socket_.recv(timeout=10))
                seen.append(message)
                schema = schemas.BY_CONTEXT.get(message.get("@context"))
                short = message.get("@context", "").removeprefix(schemas.BASE)
                self.check(f"a websocket message has a known context ({short})", schema, message)
                if schema:
                    self.conforms(f"a websocket message of {short}", message, schema)
                if wanted(message):
                    self.check(name, True)
                    return message
        self.check(name, False, f"received {seen}")
        return {}

    # -- the checks themselves

    def all(self):
        self.health_and_identity()
        self.update()
        self.bundles()
        self.configuration()
        self.refusals()
        self.refused_updates()
        self.failing_cloud()
        self.broken_http()
        self.websocket_refusals()
        self.hidden_past()
        if not self.old:
            self.abort()

    def health_and_identity(self):
        self.answers("health", ask("GET", f"{self.api}/health"), 200, schemas.HEALTH)
        for model in ("PCA20065", "PCA20035+solar", "unsupported"):
            device, fingerprint = self.device(model=model, known_shadow=False)
            answer = ask("GET", f"{self.api}/device?fingerprint={fingerprint}")
            self.answers(f"the identity of {model}", answer, 200, schemas.IDENTITY)
            self.check(f"the identity of {model} is right",
                       (answer.json["id"], answer.json["model"]) == (device, model), repr(answer))
        with connect(f"{self.ws}?fingerprint={fingerprint}") as line:
            self.receives("an unsupported device is told who it is", line,
                          lambda it: it.get("model") == "unsupported")

    def update(self):
        device, fingerprint = self.device()
        jobs = self.url(device, fingerprint, "fota/jobs")
        created_schema = schemas.JOB_EXECUTION if self.old else schemas.JOB
        list_schema = schemas.JOB_EXECUTIONS if self.old else schemas.JOBS
        self.answers("an empty list", ask("GET", jobs), 200, list_schema)
        with connect(f"{self.ws}?fingerprint={fingerprint}") as line:
            first = self.receives("the identity comes", line, lambda it: True)
            self.check("the identity comes first",
                       first.get("@context") == f"{schemas.BASE}deviceIdentity", first)
            state = self.receives("the shadow comes", line, lambda it: "reported" in it)
            objects = {it["ObjectID"] for it in state.get("reported", [])}
            self.check("the shadow has all objects",
                       objects == {14203, 14204, 14205, 14210, 14401}, sorted(objects))
            self.check("the shadow has what is desired",
                       [it["ObjectID"] for it in state.get("desired", [])] == [14301], state)
            created = ask("POST", self.url(device, fingerprint, "fota/app"), PATH)
            self.answers("a new update", created, 201, created_schema)
            job = f"upstream-{self.cloud.created}" if self.old else created.json["id"]
            self.check("a new update has its id", created.json["id"] == job, repr(created))
            self.is_problem("a second update", ask("POST", self.url(device, fingerprint, "fota/app"), PATH),
                            409, "A app FOTA job for this device already exists")
            self.check("nRF Cloud is asked for a job", until(lambda: any(
                call[:2] == ("POST", "/v1/fota-jobs") and device.encode() in call[3]
                for call in self.cloud.calls)))
            upstream = next(c for c in reversed(self.cloud.calls)
                            if c[0] == "POST" and device.encode() in c[3])
            expected = json.dumps({"bundleId": "APP*1e29dfa3*v2.0.1", "autoApply": True,
                                   "deviceIdentifiers": [device]}, separators=(",", ":"))
            self.check("the job is asked for byte by byte as the contract says",
                       upstream[3] == expected.encode(), upstream[3])
            headers = {name.lower(): value for name, value in upstream[2].items()}
            self.check("the job is asked for with the account's key",
                       headers.get("authorization") == "Bearer key-of-nordic", headers)
            self.check("the job is asked for as JSON",
                       headers.get("content-type") == "application/json", headers)
            self.answers("a list while it runs", ask("GET", jobs), 200, list_schema)
            latest = f"upstream-{self.cloud.created}"
            self.cloud.jobs[latest] = upstream_job(latest, "COMPLETED")
            self.cloud.shadows[device] = shadow(device, version=2, app="2.0.1")
            wanted = "COMPLETED" if self.old else "SUCCEEDED"
            self.receives("the end is told", line,
                          lambda it: it.get("id") == job and it.get("status") == wanted)
        ended = ask("GET", jobs)
        self.answers("a list afterwards", ended, 200, list_schema)
        self.check("the list knows the end", [it["status"] for it in ended.json["jobs"]] == [wanted],
                   repr(ended))

    def bundles(self):
        device, fingerprint = self.device()
        item = {"size": 1, "type": "APP", "filenames": ["a.bin"]}
        self.cloud.pages = {
            None: {"items": [dict(item, bundleId="APP*aaaaaaaa*v1", version="v1")], "total": 1,
                   "pageNextToken": "a token/+&="},
            "a token/+&=": {"items": [dict(item, bundleId="APP*bbbbbbbb*v2", version="v2",
                                           lastModified="2026-03-02T08:00:00.000Z")], "total": 1},
        }
        answer = ask("GET", self.url(device, fingerprint, "fota/bundles"))
        self.answers("the bundles", answer, 200, schemas.BUNDLES)
        self.check("the bundles are of all pages and sorted",
                   [it["bundleId"][0:12] for it in answer.json["bundles"]]
                   == ["APP*bbbbbbbb", "APP*aaaaaaaa"], repr(answer))

    def configuration(self):
        device, fingerprint = self.device()
        update = {"@context": f"{schemas.BASE}lwm2m/object/update", "ObjectID": 14301,
                  "Resources": {"0": 60}}
        answer = ask("PATCH", self.url(device, fingerprint, "state"), update)
        self.check("a configuration is answered with 202 and nothing",
                   (answer.status, answer.body) == (202, b""), repr(answer))
        for name, wrong in [("no object", {"ObjectID": None}), ("another object", {"ObjectID": 3}),
                            ("no resources", {"Resources": None}),
                            ("a broken resource", {"Resources": {"x": 1}}),
                            ("another context", {"@context": "x"})]:
            answer = ask("PATCH", self.url(device, fingerprint, "state"), {**update, **wrong})
            self.is_problem(f"a configuration with {name}", answer, 400, "Validation failed")

    def refusals(self):
        device, fingerprint = self.device()
        _, other = self.device()
        routes = [("GET", "fota/jobs", None), ("GET", "fota/bundles", None), ("POST", "fota/app", PATH),
                  ("POST", "hideDataBefore", None),
                  ("PATCH", "state", {"@context": f"{schemas.BASE}lwm2m/object/update",
                                      "ObjectID": 14301, "Resources": {"0": 1}})]
        if self.old:
            routes.append(("POST", "fota", {"bundleId": "APP*1e29dfa3*v2.0.1"}))
        else:
            routes.append(("DELETE", "fota/job/01J6ZK9Y8M0N1P2Q3R4S5T6V7W", None))
        for method, route, body in routes:
            name = f"{method} {route}"
            bare = f"{self.api}/device/{device}/{route}"
            self.is_problem(f"{name} without a fingerprint", ask(method, bare, body), 400,
                            "Validation failed")
            for wrong in ("", "92b", "x.y7i24q", "92b.y7i240", "%00", "%C3%A9"):
                self.is_problem(f"{name} with the fingerprint `{wrong}`",
                                ask(method, f"{bare}?fingerprint={wrong}", body), 400, "Validation failed")
            self.is_problem(f"{name} with another's fingerprint",
                            ask(method, self.url(device, other, route), body), 403,
                            "Fingerprint does not match!")
            self.is_problem(f"{name} for an unknown device",
                            ask(method, self.url("oob-nobody", fingerprint, route), body), 404,
                            "No device found with ID!")
        for method, path in [("GET", "/"), ("GET", ""), ("GET", "/nothing"), ("PUT", "/health"),
                             ("GET", "/device/a/b/c/d/e"), ("GET", "/device/%2e%2e/fota/jobs"),
                             ("POST", "/device"), ("GET", "/device/%ff/fota/jobs"),
                             ("GET", "/device//fota/jobs"), ("GET", "/device/%zz/fota/jobs"),
                             ("TRACE", "/health")]:
            answer = ask(method, self.api + path)
            self.check(f"{method} {path} is refused", answer.status in (400, 404), repr(answer))
            self.is_problem(f"{method} {path}", answer, answer.status)
        self.is_problem("an unknown fingerprint", ask("GET", f"{self.api}/device?fingerprint=92b.zzzzzz"),
                        404, "No device found for fingerprint!")

    def refused_updates(self):
        device, fingerprint = self.device(known_shadow=False)
        self.is_problem("an update of an unknown state",
                        ask("POST", self.url(device, fingerprint, "fota/app"), PATH), 400,
                        "Device is not eligible for FOTA")
        device, fingerprint = self.device(types=("BOOT",))
        self.is_problem("an update of a device without support",
                        ask("POST", self.url(device, fingerprint, "fota/app"), PATH), 400,
                        "Device is not eligible for FOTA")
        device, fingerprint = self.device(types=("APP",))
        url = self.url(device, fingerprint, "fota/app")
        mixed = {"2.0.0": "APP*1e29dfa3*v2", "2.0.1": "MODEM*1e29dfa3*v2"}
        self.is_problem("a path of two targets", ask("POST", url, {"upgradePath": mixed}), 400,
                        "Invalid upgrade path defined")
        for path in [None, {}, [], "x", 7, {"2.0": "APP*1e29dfa3*v2"}, {"^2.0.0": "APP*1e29dfa3*v2"},
                     {"2.0.0": None}, {"2.0.0": "APP"}, {"2.0.0": "FOO*1e29dfa3*v2"}]:
            self.is_problem(f"the path {json.dumps(path)}", ask("POST", url, {"upgradePath": path}), 400,
                            "Validation failed")
        for name, body in [("broken JSON", b'{"upgradePath":'), ("no UTF-8", b'{"a":"\xff"}'),
                           ("a list", b"[]"), ("nothing", b""), ("deep JSON", b"[" * 100_000)]:
            answer = ask("POST", url, body, {"Content-Type": "application/json"})
            self.is_problem(f"a body of {name}", answer, 400, "Validation failed")
        answer = ask("POST", url, json.dumps(PATH).encode(), {"Content-Type": "text/plain"})
        self.is_problem("a body of another type", answer, 400, "Validation failed")
        answer = ask("POST", url, b'{"a":"' + b"x" * 2_000_000 + b'"}', {"Content-Type": "application/json"})
        self.check("a body of 2 MB is refused", answer.status in (400, 413), repr(answer))
        self.is_problem("a body of 2 MB", answer, answer.status)

    def failing_cloud(self):
        device, fingerprint = self.device()
        with connect(f"{self.ws}?fingerprint={fingerprint}") as line:
            self.receives("the shadow comes before the cloud fails", line, lambda it: "reported" in it)
            self.cloud.refusing = 503
            try:
                answer = ask("POST", self.url(device, fingerprint, "fota/app"), PATH)
                if self.old:
                    self.is_problem("an update that the cloud refuses", answer, 500,
                                    "Scheduling FOTA update failed")
                else:
                    self.answers("an update that the cloud will refuse", answer, 201, schemas.JOB)
                    self.receives("the refusal is told", line, lambda it: it.get("status") == "FAILED")
                update = {"@context": f"{schemas.BASE}lwm2m/object/update", "ObjectID": 14301,
                          "Resources": {"0": 60}}
                self.is_problem("a configuration that the cloud refuses",
                                ask("PATCH", self.url(device, fingerprint, "state"), update), 400,
                                "Configuration update failed")
                self.server.admin("accounts/failing", {"endpoint": self.cloud.url, "apiKey": "k"})
                self.server.admin(f"devices/{device}", {"fingerprint": fingerprint, "model": "PCA20065",
                                                        "account": "failing"})
                self.is_problem("bundles that the cloud refuses",
                                ask("GET", self.url(device, fingerprint, "fota/bundles")), 500,
                                "Fetching FOTA bundles failed")
            finally:
                self.cloud.refusing = None

    def broken_http(self):
        """What is not HTTP never reaches the API, so an answer without a body will do here: the
        contract's problem documents have no status 414 or 431."""
        address = urllib.parse.urlsplit(self.api)
        path = address.path.encode()
        for name, sent in [
            ("no HTTP", b"hello\r\n\r\n"),
            ("a header without a colon", b"GET " + path + b"/health HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n"),
            ("two lengths", b"POST " + path + b"/device HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                            b"Content-Length: 2\r\n\r\nab"),
            ("a broken chunk", b"POST " + path + b"/device/a/fota/app?fingerprint=92b.aaaaaa HTTP/1.1\r\n"
                               b"Host: a\r\nContent-Type: application/json\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            ("a line that is too long", b"GET " + path + b"/" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("too many headers", b"GET " + path + b"/health HTTP/1.1\r\nHost: a\r\n"
                                 + b"".join(b"x-%d: y\r\n" % it for it in range(500)) + b"\r\n"),
        ]:
            head, body = raw(address, sent)
            status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0
            self.check(f"{name} is refused", 400 <= status < 500 or not head, head[:200])
            if body:
                self.conforms(f"{name} is a problem document", json.loads(body), schemas.PROBLEM)
        self.answers("health after all that", ask("GET", f"{self.api}/health"), 200, schemas.HEALTH)

    def websocket_refusals(self):
        for fingerprint, status in [("92b.zzzzzz", 403), ("nonsense", 400), ("", 400)]:
            try:
                connect(f"{self.ws}?fingerprint={fingerprint}").close()
                self.check(f"a websocket with `{fingerprint}` is refused", False, "it opened")
            except websockets.exceptions.InvalidStatus as refused:
                answer = refused.response
                self.check(f"a websocket with `{fingerprint}` is refused with {status}",
                           answer.status_code == status, answer.status_code)
                plain = self.ws.replace("ws://", "http://", 1)
                upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
                head, body = raw(urllib.parse.urlsplit(plain), request_text(
                    f"{plain}?fingerprint={fingerprint}", upgrade))
                self.conforms(f"the refusal of `{fingerprint}` is a problem document",
                              json.loads(body or b"null"), schemas.PROBLEM)
        self.is_problem("a websocket without an upgrade",
                        ask("GET", self.ws.replace("ws://", "http://", 1) + "?fingerprint=92b.zzzzzz"), 400)

    def hidden_past(self):
        device, fingerprint = self.device()
        answer = ask("POST", self.url(device, fingerprint, "hideDataBefore"))
        self.check("hiding is answered with 200 and nothing", (answer.status, answer.body) == (200, b""),
                   repr(answer))
        answer = ask("GET", f"{self.api}/device?fingerprint={fingerprint}")
        self.answers("an identity with a hidden past", answer, 200, schemas.IDENTITY)
        self.check("the identity says since when", "hideDataBefore" in answer.json, repr(answer))

    def abort(self):
        device, fingerprint = self.device()
        other, others = self.device()
        created = ask("POST", self.url(device, fingerprint, "fota/app"), PATH)
        route = f"fota/job/{created.json['id']}"
        self.is_problem("stopping another's job", ask("DELETE", self.url(other, others, route)), 403)
        for wrong in ("x", "01J6ZK9Y8M0N1P2Q3R4S5T6V7U", "%00"):
            self.is_problem(f"stopping `{wrong}`",
                            ask("DELETE", self.url(device, fingerprint, f"fota/job/{wrong}")), 400)
        self.is_problem("stopping nothing", ask("DELETE", self.url(
            device, fingerprint, "fota/job/01J6ZK9Y8M0N1P2Q3R4S5T6V7W")), 404)
        answer = ask("DELETE", self.url(device, fingerprint, route))
        self.check("stopping is answered with 202 and nothing", (answer.status, answer.body) == (202, b""),
                   repr(answer))
        self.is_problem("stopping twice", ask("DELETE", self.url(device, fingerprint, route)), 409)


def request_text(url, headers):
    parts = urllib.parse.urlsplit(url)
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(address, sent):
    """Sends bytes; the head and the body of what comes back, empty if the line is just closed."""
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        received = b""
        with contextlib.suppress(OSError):
            line.sendall(sent)
            line.settimeout(3)
            while True:
                more = line.recv(65536)
                if not more:
                    break
                received += more
                head, found, body = received.partition(b"\r\n\r\n")
                length = [it for it in head.lower().split(b"\r\n") if it.startswith(b"content-length:")]
                if found and length and len(body) >= int(length[0].split(b":")[1]):
                    break
        head, _, body = received.partition(b"\r\n\r\n")
        return head, body


def main():
    results, cloud = Results(), Cloud()
    server = Server(sys.argv[1])
    try:
        server.admin("accounts/nordic", {"endpoint": cloud.url, "apiKey": "key-of-nordic"})
        for name in GENERATIONS:
            Generation(results, server, cloud, name).all()
    finally:
        code = server.stop()
    results.check("the server ends cleanly on SIGTERM", code == 0, f"exit code {code}")
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
