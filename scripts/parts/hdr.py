"""Decodes every histogram of a record and of its interval log with Python's hdrhistogram, and compares.

Run: hdr.py RECORD.json LOG.hlog
"""
import json
import math
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

PERCENTS = ((50, "p50"), (90, "p90"), (99, "p99"), (99.9, "p99_9"))
checked = 0


def decoded(text):
    return HdrHistogram.decode(text.encode())


def same(what, found, expected):
    global checked
    checked += 1
    if found != expected:
        sys.exit(f"NOT THE SAME: {what}: {found} decoded, {expected} in the record")


def near(what, found_us, expected_us):
    """Equal to the three digits that are kept; the record has the exact maximum."""
    global checked
    checked += 1
    if abs(found_us - expected_us) > max(1.0, expected_us / 1000):
        sys.exit(f"NOT THE SAME: {what}: {found_us} us decoded, {expected_us} us in the record")


def percentile(histogram, percent):
    """The value of rank ceil(percent * count), as records define it; this library's own rule rounds the rank."""
    rank = math.ceil(round(percent * histogram.get_total_count() / 100, 6))
    for item in histogram.get_recorded_iterator():
        if item.total_count_to_this_value >= rank:
            return item.value_iterated_to
    return 0


def check_times(what, histogram, times):
    same(f"{what}: count", histogram.get_total_count(), times["count"])
    if times["count"]:
        near(f"{what}: max", histogram.get_max_value(), times["max"])
        for percent, key in PERCENTS:
            near(f"{what}: {key}", percentile(histogram, percent), times[key])


def main():
    record = json.load(open(sys.argv[1]))
    for owner in [record["totals"], *record["steps"]]:
        name = owner.get("name", "totals")
        for kind in ("service", "response", "client", "failures"):
            check_times(f"{name}: {kind}", decoded(owner["histograms"][kind]), owner[f"{kind}_us"])
    for poll in record["polls"]:
        check_times(f"poll {poll['name']}", decoded(poll["histogram"]), poll["ready_after_us"])
    for span in record["spans"]:
        check_times(f"span {span['name']}", decoded(span["histogram"]), span["took_us"])
    by_second = 0
    for sample in record["series"]:
        for step in sample["steps"]:
            count = decoded(step["response"]).get_total_count()
            same(f"second {sample['t_s']}", count, step["requests"])
            by_second += count
    same("all seconds", by_second, record["totals"]["requests"])
    log = HistogramLogReader(sys.argv[2], HdrHistogram(1, 3_600_000_000, 3))
    in_log = lines = 0
    while (interval := log.get_next_interval_histogram()) is not None:
        in_log += interval.get_total_count()
        lines += 1
    same("the interval log", in_log, record["totals"]["requests"] + record["totals"]["cut_off"])
    print(f"ok: {checked} figures the same: {len(record['steps'])} steps, {len(record['series'])} seconds, "
          f"{record['totals']['requests']} requests, {lines} lines of the log")


main()
