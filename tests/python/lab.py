"""What the checks are made with: a server, a cloud behind it, requests, and a count of the results."""

import http.server
import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


class Results:
    """One line per check."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, holds, why=""):
        if holds:
            self.passed += 1
            print(f"ok      {name}")
        else:
            self.failed += 1
            print(f"FAILED  {name}" + (f": {why}" if why else ""))
        return bool(holds)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.failed == 0 and self.passed > 0 else 1


class Answer:
    """A status, headers and a body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def ask(method, url, body=None, headers=None):
    """Sends a request; dicts and lists go as JSON, bytes as they are."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as problem:
        with problem:
            return Answer(problem.code, problem.headers, problem.read())


def until(holds, seconds=15):
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Cloud:
    """As much of nRF Cloud as the server under test needs, answering from dictionaries."""

    def __init__(self):
        self.shadows, self.jobs, self.calls = {}, {}, []
        self.pages = {None: {"items": [], "total": 0}}
        self.refusing = None
        self.created = 0
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cloud.calls.append((self.command, self.path, dict(self.headers), body))
                status, document = cloud.respond(self.command, url.path, query, body)
                data = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                if data:
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def respond(self, method, path, query, body):
        if self.refusing:
            return self.refusing, {"message": "not today"}
        if (method, path) == ("GET", "/v1/devices"):
            asked = query.get("deviceIds", "").split(",")
            items = [self.shadows[it] for it in asked if it in self.shadows]
            return 200, {"items": items, "total": len(items)}
        if (method, path) == ("GET", "/v1/firmwares"):
            return 200, self.pages[query.get("pageNextToken")]
        if (method, path) == ("POST", "/v1/fota-jobs"):
            self.created += 1
            job = f"upstream-{self.created}"
            self.jobs[job] = upstream_job(job, "QUEUED", json.loads(body)["bundleId"])
            return 200, {"jobId": job}
        if path.startswith("/v1/fota-jobs/"):
            job = path.split("/")[3]
            if job not in self.jobs:
                return 404, {"message": "no such job"}
            return (202, None) if method == "PUT" else (200, self.jobs[job])
        if method == "PATCH":
            return 202, None
        return 404, {"message": "not found"}


def upstream_job(job, status, bundle="APP*1e29dfa3*v2.0.1"):
    """A job as nRF Cloud describes it."""
    kind, _, version = bundle.split("*")
    return {
        "jobId": job, "name": job, "status": status, "statusDetail": f"It is {status}",
        "createdAt": "2026-03-02T08:00:00.000Z", "lastUpdatedAt": "2026-03-02T08:00:01.000Z",
        "firmware": {"bundleId": bundle, "fileSize": 1, "firmwareType": kind,
                     "host": "firmware.nrfcloud.com", "uris": ["a.bin"], "version": version},
        "target": {"deviceIds": [], "tags": []},
    }


def shadow(device, version=1, app="2.0.0", modem="mfw_nrf91x1_2.0.1", types=("BOOT", "MODEM", "APP")):
    """A device as nRF Cloud describes it."""
    at = {"timestamp": 1772438400}
    info = {"imei": "358299840016535", "modemFirmware": modem, "appVersion": app, "board": "thingy91x"}
    network = {"networkMode": "LTE-M", "currentBand": 20, "rsrp": -97, "areaCode": 2305,
               "cellID": 34237196, "mccmnc": "24202", "ipAddress": "100.74.127.54", "eest": 7}
    reported = {"deviceInfo": info, "networkInfo": network, "simInfo": {"iccid": "8901234567012345678"},
                "serviceInfo": {"fota_v2": list(types)}}
    metadata = {"deviceInfo": {name: at for name in info}, "networkInfo": {name: at for name in network},
                "simInfo": {"iccid": at}, "serviceInfo": {"fota_v2": [at for _ in types]}}
    lwm2m = {"14205:1.0": {"0": {"0": 21.5, "99": 1772438400}},
             "14210:1.0": {"0": {"0": 1, "1": True, "99": 1772438400}}}
    return {
        "id": device,
        "$meta": {"createdAt": "2026-03-02T08:00:00.000Z", "updatedAt": "2026-03-02T08:00:00.000Z"},
        "state": {
            "version": version,
            "reported": {"device": reported, "lwm2m": lwm2m},
            "desired": {"lwm2m": {"14301:1.0": {"0": {"0": 600, "99": 1772438401}}}},
            "metadata": {"reported": {"device": metadata}},
        },
    }


class Server:
    """`fotalab serve --eager`, and its admin face."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "serve", "--eager"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"`{program} serve` said nothing and ended with {self.process.wait()}")
        self.context = json.loads(line)

    def profile(self, name):
        return self.context["PROFILES"][name]

    def admin(self, path, body):
        answer = ask("PUT", f"{self.context['ADMINURL']}/{path}", body,
                     {"Authorization": f"Bearer {self.context['ADMINTOKEN']}"})
        if answer.status >= 300:
            raise SystemExit(f"the admin face refused {path}: {answer}")

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)
