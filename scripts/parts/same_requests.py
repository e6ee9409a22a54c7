"""Compares a merged record with that of one process, step by step.

usage: same_requests.py RECORD_OF_ONE MERGED_RECORD NAME_OF_THE_PARTS
"""

import json
import sys


def counts(path):
    record = json.load(open(path))
    return {f"{step['method']} {step['name']}": {key: step[key] for key in ("sent", "requests", "failures", "statuses")}
            for step in record["steps"]}

one, parts = map(counts, sys.argv[1:3])
print(f"{'step':<40} {'one process':>12} {sys.argv[3]:>12}")
for name, found in one.items():
    print(f"{name:<40} {found['requests']:>12,} {parts[name]['requests']:>12,}")
if one != parts:
    sys.exit(f"FAILED: they differ\n{one}\n{parts}")
print("all as it should be: merged parts = one process")
