#!/usr/bin/env python3
"""Counts the test cases of one `meson test` run: count.py testlog.json -> "passed failed skipped".

A program that uses Check says how many cases it ran ("100%: Checks: 294, Failures: 0, Errors: 0"), and so may a script;
any other test is one case. A program that fails counts at least one failure, whatever it says. Ends with 1 if the log
is missing or empty: nothing ran.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import sys

CHECKS = re.compile(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)")

passed = failed = skipped = 0
try:
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
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
print(passed, failed, skipped)
sys.exit(0 if results else 1)
