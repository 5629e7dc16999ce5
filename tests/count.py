#!/usr/bin/env python3
"""Counts the test cases of one `meson test` run: count.py testlog.json -> "passed failed skipped".

With --failed first, it prints instead each program that failed and the end of what it said, so that the end of a long
run tells what went wrong without the rest of its output.

A program that uses Check says how many cases it ran ("100%: Checks: 294, Failures: 0, Errors: 0"), and so may a script;
any other test is one case. A program that fails counts at least one failure, whatever it says. Ends with 1 if the log
is missing or empty: nothing ran.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import sys

TAIL = 30
CHECKS = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")

show_failed = sys.argv[1] == "--failed"
passed = failed = skipped = 0
try:
    with open(sys.argv[-1], encoding="utf-8", errors="replace") as log:
        results = [json.loads(line) for line in log if line.strip()]
except OSError:
    results = []
for result in results:
    said = CHECKS.findall(result.get("stdout") or "")
    cases, bad = 1, 0
    if said:
        cases = sum(int(n) for n, _, _ in said)
        bad = sum(int(f) + int(e) for _, f, e in said)
    if result["result"] in ("OK", "EXPECTEDFAIL"):
        passed += cases - bad
        failed += bad
    elif result["result"] == "SKIP":
        skipped += 1
    else:
        bad = max(bad, 1)
        passed += max(cases - bad, 0) if said else 0
        failed += bad
    if show_failed and (bad or result["result"] not in ("OK", "EXPECTEDFAIL", "SKIP")):
        said = (result.get("stdout") or "") + (result.get("stderr") or "")
        print(f"--- {result['name']}: {result['result']} (exit status {result.get('returncode')})")
        print("\n".join("    " + line[:300] for line in said.splitlines()[-TAIL:]))
if show_failed:
    sys.exit(0)
print(passed, failed, skipped)
sys.exit(0 if results else 1)
