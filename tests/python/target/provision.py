#!/usr/bin/env python3
"""Tells the third party's server of a device: fotalab gives it as JSON on standard input, and the
target's variables in the environment."""

import json
import os
import sys
import urllib.request

told = json.load(sys.stdin)
if told["kind"] == "device":
    stock = {"code": told["fingerprint"], "name": told["endpoint"], "kind": told.get("model", "unsupported")}
    request = urllib.request.Request(
        os.environ["APIURL"] + "/stock",
        data=json.dumps(stock).encode(),
        headers={"Content-Type": "application/json", "X-Token": os.environ["STOCKTOKEN"]},
    )
    urllib.request.urlopen(request, timeout=10).close()
