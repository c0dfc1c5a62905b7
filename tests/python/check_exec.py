#!/usr/bin/env python3
"""A server is asked through a program of the user's: the scenario of a push holds over `exec`, and
what a broken program does is said.

    python3 check_exec.py path/to/fotalab
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FOTALAB = str(Path(sys.argv[1]).resolve())
HERE = Path(__file__).resolve().parent
PUSH = HERE.parent.parent / "features/lwm2m/Push.feature.md"
results = {True: 0, False: 0}


def check(what, holds, told=""):
    results[bool(holds)] += 1
    print(f"{'ok     ' if holds else 'FAILED '} {what}{'' if holds else f': {told}'}")


LISTENS = """# The server tells of devices

## It is listened to

Given I listen to what the server tells

And there is a device `meter-l` running `1.0.0`

When the device `meter-l` is switched on

Then the server should tell

```json
{ "event": "registered", "endpoint": "meter-l" }
```
"""


def run(folder, context, command, feature=PUSH):
    profile = folder / "server.toml"
    lines = ['name = "by a program"', 'adapter = "exec"', "[context]"]
    lines += [f"{name} = {json.dumps(context[name])}" for name in ("ADMINURL", "ADMINTOKEN", "COAPURL")]
    lines += ["[exec]", f"command = {json.dumps(command)}"]
    profile.write_text("\n".join(lines) + "\n")
    ran = subprocess.run([FOTALAB, "run", str(feature), "--target", str(profile), "--clock", "real"],
                         capture_output=True, text=True, timeout=300)
    return ran.returncode, ran.stdout + ran.stderr


serve = subprocess.Popen([FOTALAB, "serve", "--http", "127.0.0.1:0", "--coap", "127.0.0.1:0"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    context = json.loads(serve.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        code, told = run(folder, context, [sys.executable, str(HERE / "adapter.py")])
        check("a push holds through a program that speaks JSON lines", code == 0, told)
        (folder / "Listens.feature.md").write_text(LISTENS)
        code, told = run(folder, context, [sys.executable, str(HERE / "adapter.py")], folder / "Listens.feature.md")
        check("what the server tells comes through it, too", code == 0, told)
        for what, script, words in [
            ("ends at once", "import sys; sys.exit('no such server')", "no such server"),
            ("speaks no JSON", "input(); print('hello', flush=True); input()", "no JSON object in one line"),
            ("answers something else", "input(); print('{\"id\": 99, \"answer\": {}}', flush=True); input()",
             "answers nothing that was asked"),
            ("refuses", "import json; print(json.dumps({'id': json.loads(input())['id'], 'error': 'not today'}),"
             " flush=True); input()", "not today"),
        ]:
            code, told = run(folder, context, [sys.executable, "-c", script])
            check(f"a program that {what} fails the step and says why", code == 100 and words in told, (code, told))
        code, told = run(folder, context, ["/nonexistent"])
        check("a program that is not there is said", code == 100 and "does not start" in told, (code, told))
finally:
    serve.terminate()
    serve.wait(20)
print(f"{results[True]} ok, {results[False]} failed")
sys.exit(1 if results[False] else 0)
