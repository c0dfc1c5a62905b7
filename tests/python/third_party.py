#!/usr/bin/env python3
"""A server that fotalab's authors did not design for it: a dozen devices in a dictionary, told of by
a route of its own. It answers `GET /health` and `GET /device?fingerprint=` as hello.nrfcloud.com does.

usage: third_party.py PORT TOKEN     (PORT 0 picks one; the port is printed when it listens)
"""

import http.server
import json
import re
import sys
import urllib.parse

BASE = "https://github.com/hello-nrfcloud/proto/"
FINGERPRINT = re.compile(r"[A-F0-9]+\.[A-KMNP-Z2-9]{6}", re.IGNORECASE)


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    token = ""
    stock = {}

    def say(self, status, document, kind="application/json"):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, title, detail):
        self.say(status, {"@context": f"{BASE}ProblemDetail", "title": title, "status": status,
                          "detail": detail}, "application/problem+json")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/health":
            return self.say(200, {"@context": f"{BASE}api/health", "version": "third-party-1"})
        if url.path != "/device":
            return self.problem(404, "Not Found", url.path)
        fingerprint = query.get("fingerprint", "")
        if not FINGERPRINT.fullmatch(fingerprint):
            return self.problem(400, "Validation failed", "/fingerprint: this is none")
        if fingerprint not in self.stock:
            return self.problem(404, "No device found for fingerprint!", fingerprint)
        device = self.stock[fingerprint]
        self.say(200, {"@context": f"{BASE}deviceIdentity", "id": device["name"], "model": device["kind"]})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        if self.path != "/stock" or self.headers.get("X-Token") != self.token:
            return self.problem(403, "Staff only", self.path)
        self.stock[body["code"]] = {"name": body["name"], "kind": body["kind"]}
        self.say(201, {})

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Shop.token = sys.argv[2]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop)
    print(server.server_port, flush=True)
    server.serve_forever()
