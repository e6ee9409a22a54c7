#!/usr/bin/env python3
"""A longer record: the seconds of a short one, repeated.

usage: page_records.py RECORD LONGER SECONDS
"""

import json
import sys

source, target, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(source) as file:
    record = json.load(file)
whole = [sample for sample in record["series"] if sample["length_s"] > 0.9 and not sample["is_drain"]]
series = []
for second in range(seconds):
    sample = dict(whole[second % len(whole)])
    sample["t_s"], sample["length_s"] = second + 1.0, 1.0
    series.append(sample)
record["series"] = series
record["totals"]["load_s"] = record["totals"]["duration_s"] = float(seconds)
with open(target, "w") as file:
    json.dump(record, file)
