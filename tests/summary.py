#!/usr/bin/env python3
"""Sums up a Meson test log: one line a failed test, then `N passed, N failed, N skipped` over test programs and, before
it, over the single checks that the programs counted themselves."""
import json
import re
import sys

OWN_LINE = re.compile(r"^\S+: (\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.M)
PASSED, SKIPPED = {"OK", "EXPECTEDFAIL"}, {"SKIP"}

programs, checks = [0, 0, 0], [0, 0, 0]
for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    kind = 0 if test["result"] in PASSED else 2 if test["result"] in SKIPPED else 1
    programs[kind] += 1
    for counts in OWN_LINE.findall(test.get("stdout") or ""):
        checks = [total + int(count or 0) for total, count in zip(checks, counts)]
    if kind == 1:
        print(f"failed: {test['name']} ({test['result']})")
print("single checks: {} passed, {} failed, {} skipped".format(*checks))
print("{} passed, {} failed, {} skipped".format(*programs))
