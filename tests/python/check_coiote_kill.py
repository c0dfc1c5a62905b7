#!/usr/bin/env python3
"""A group task over the Coiote API whose server is killed (SIGKILL) again and again, and a file of
300 MB that never is in the server's memory.

    python3 check_coiote_kill.py path/to/fotalab
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import Results, ask, until

FOTALAB = str(Path(sys.argv[1]).resolve())
DEVICES, KILLS = 20, 6
GROUP = "root.mt.demo.killed"
PERSONA = """
lifetime = "10 s"
protocols = ["coap"]
flash-bytes-per-second = 30000
reboot = "1 s"
ack-timeout = "500ms"
"""
RESOURCE = {"name": "r", "location": {"InternalLocation": {"fileName": "f"}}, "category": "FIRMWARE",
            "domain": "/demo/", "expirationTime": "ONE_DAY"}
LARGE = 300 * 1024 * 1024
results = Results()
check = results.check


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """`serve --data`, which can be killed and started again where it was."""

    def __init__(self, directory):
        self.directory = directory
        self.http, self.coap = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        (directory / "config.toml").write_text('admin_token = "a"\ncoiote_token = "c"\n'
                                               '[accounts.default]\ncampaigns = { inFlight = 6 }\n')
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [FOTALAB, "serve", "--http", f"127.0.0.1:{self.http}", "--coap", f"127.0.0.1:{self.coap}",
             "--data", str(self.directory / "data"), "--config", str(self.directory / "config.toml")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.context = json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method, path, body=None, kind="application/json"):
        return ask(method, self.context["COIOTEURL"] + path, body,
                   {"Authorization": "Bearer c", "Content-Type": kind})

    def summary(self, task):
        return self.ask("GET", f"/taskReports/summary?taskId={task}").json

    def peak(self):
        """The most memory that it had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(it for it in status.splitlines() if it.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


def a_large_file(server, directory):
    path = directory / "large.bin"
    with open(path, "wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    check("a resource for a large file is made",
          server.ask("POST", "/resources", {**RESOURCE, "id": "large"}).status == 201)
    url = f"{server.context['COIOTEURL']}/resources/large/data"
    sent = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", str(path), "-H",
                           "Authorization: Bearer c", url], capture_output=True, text=True)
    check("300 MB are uploaded", sent.stdout == "204", sent)
    peak = server.peak()
    check("and never were in memory", peak < LARGE // 3, f"{peak >> 20} MB")
    address = server.ask("POST", "/resources/large/downloadUrl", {"protocol": "HTTP"}).json["address"]
    fetched = subprocess.run(f"curl -s '{address}' | cmp - '{path}'", shell=True)
    check("and come back as they were", fetched.returncode == 0)
    path.unlink()


def the_group(server, image):
    for number in range(DEVICES):
        server.ask("PUT", f"/devices/dev-{number}", {"addGroups": [GROUP]})
    server.ask("POST", "/resources", {**RESOURCE, "id": "r"})
    server.ask("PUT", "/resources/r/data", image, "application/octet-stream")
    pairs = {"resourceId": "r", "transferProtocol": "COAP", "executeImmediately": "true"}
    config = {"taskName": "FOTA", "parameters": [{"name": name, "value": value} for name, value in pairs.items()]}
    made = server.ask("POST", f"/tasksFromTemplates/group/{GROUP}",
                      {"templateName": "Lwm2mFirmwareUpdate", "config": config})
    check("a group task is made", made.status == 201, made)
    return made.json


def killed_again_and_again(server, task):
    chance = random.Random(30)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 5))
        server.kill()
        time.sleep(chance.uniform(0, 1))
        server.start()
        counts = server.summary(task)
        adds = (counts and counts["totalScheduled"] == DEVICES
                and counts["completed"] + counts["notCompleted"] == DEVICES
                and counts["successes"] + counts["failures"] == counts["completed"])
        check("the task is there again and adds up", adds, counts)
    check("it ends", until(lambda: server.summary(task)["notCompleted"] == 0, 240), server.summary(task))
    check("everywhere well", server.summary(task)["successes"] == DEVICES, server.summary(task))
    for number in range(DEVICES):
        told = server.ask("GET", f"/taskReports/{task}/dev-{number}").json
        runs = server.ask("GET", f"/devices/dev-{number}").json["softwareVersion"]
        new = {it["name"]: it["value"] for it in told["properties"]}.get("newFirmwareVersion")
        check(f"dev-{number} runs what its report says", (runs, new) == ("2.0.0", "2.0.0"), told)


def main():
    directory = Path(tempfile.mkdtemp())
    (directory / "persona.toml").write_text(PERSONA)
    path = directory / "image.bin"
    subprocess.run([FOTALAB, "image", "--firmware", "2.0.0", "--size", "65536", "--seed", "1", str(path)],
                   stdout=subprocess.DEVNULL, check=True)
    server = Server(directory)
    fleet = None
    try:
        a_large_file(server, directory)
        fleet = subprocess.Popen([FOTALAB, "fleet", "--server", server.context["COAPURL"], "--devices", str(DEVICES),
                                  "--endpoint", "dev-{}", "--persona", str(directory / "persona.toml")],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        check("the devices are there", until(lambda: all(
            server.ask("GET", f"/devices/dev-{number}").status == 200 for number in range(DEVICES)), 30))
        task = the_group(server, path.read_bytes())
        killed_again_and_again(server, task)
        fleet.send_signal(signal.SIGINT)
        census = json.loads(fleet.communicate(timeout=20)[0])
        check("the devices say the same", census["versions"] == {"2.0.0": DEVICES}, census)
    finally:
        if fleet:
            fleet.kill()
        server.kill()
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
