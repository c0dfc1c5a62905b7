#!/usr/bin/env python3
"""Checks that `fotalab run --target` works against a server that is not fotalab's.

usage: python3 tests/python/check_target.py path/to/fotalab
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from lab import Results

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "a-token-that-nobody-should-read-2f9c"


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    program, results = sys.argv[1], Results()
    shop = subprocess.Popen([sys.executable, HERE / "third_party.py", "0", TOKEN],
                            stdout=subprocess.PIPE, text=True)
    try:
        port = shop.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as scratch:
            checks(results, program, port, pathlib.Path(scratch))
    finally:
        shop.terminate()
        shop.wait()
    return results.end()


def checks(results, program, port, scratch):
    profile = (HERE / "target" / "server.toml").read_text()
    for name, value in (("PORT", port), ("PYTHON", sys.executable), ("HERE", str(HERE / "target"))):
        profile = profile.replace(f"@{name}@", value)
    target = scratch / "server.toml"
    target.write_text(profile)
    environment = {**os.environ, "THIRD_PARTY_TOKEN": TOKEN}

    def run(name, *more, env=environment, file=target):
        reports = scratch / "reports"
        done = subprocess.run(
            [program, "run", "--target", str(file), HERE / "target" / name, "--report", reports, *more],
            capture_output=True, text=True, env=env)
        written = "".join(it.read_text() for it in sorted(reports.glob("*"))) if reports.exists() else ""
        return done, done.stdout + done.stderr + written, reports

    done, said, reports = run("Holds.feature.md")
    results.check("what holds passes", done.returncode == 0, said[-2000:])
    results.check("three scenarios ran", "3 passed" in done.stdout, done.stdout)
    results.check("the target's secret is told nobody", TOKEN not in said)
    report = json.loads((reports / "report.json").read_text()) if reports.exists() else {}
    results.check("the report names the target", "third party 1" in json.dumps(report), str(report)[:500])

    done, said, _ = run("Breaks.feature.md")
    results.check("what breaks fails with 100", done.returncode == 100, f"{done.returncode} {said[-2000:]}")
    results.check("the line of the failing step is named", "Breaks.feature.md:12" in done.stdout, done.stdout)
    results.check("the answer is shown", "404" in done.stdout, done.stdout)
    results.check("the target's secret is told nobody by a failure", TOKEN not in said)

    done, said, _ = run("Holds.feature.md", "--clock", "virtual")
    results.check("a target cannot live on the virtual clock", done.returncode == 2, f"{done.returncode} {said[-800:]}")
    without = {name: value for name, value in os.environ.items() if name != "THIRD_PARTY_TOKEN"}
    done, said, _ = run("Holds.feature.md", env=without)
    results.check("a secret that is not set is a usage error", done.returncode == 2, f"{done.returncode} {said[-800:]}")
    results.check("it is named", "THIRD_PARTY_TOKEN" in said, said[-800:])

    nobody = scratch / "nobody.toml"
    nobody.write_text(profile.replace(f":{port}/", ":9/"))
    done, said, _ = run("Holds.feature.md", file=nobody)
    results.check("a target that is not there is an environment error", done.returncode == 5,
                  f"{done.returncode} {said[-800:]}")
    refusing = scratch / "refusing.toml"
    refusing.write_text(profile.replace(str(HERE / "target" / "provision.py"), "no-such-script.py"))
    done, said, _ = run("Holds.feature.md", file=refusing)
    results.check("a provision script that fails fails the step", done.returncode == 100,
                  f"{done.returncode} {said[-800:]}")
    results.check("its words are shown", "no-such-script.py" in said, said[-800:])


if __name__ == "__main__":
    sys.exit(main())
