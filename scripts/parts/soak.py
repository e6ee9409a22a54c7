"""Samples the processes of scripts/measure soak from /proc, then judges memory, descriptors, sums. Standard library only.

Run: soak.py FOLDER SECONDS PID_OF_THE_STAND_IN NAME=PID...      each run leaves NAME.json in FOLDER
"""
import json
import os
import re
import signal
import sys
import time
from collections import Counter

EVERY_S = 2
SLOPE_MAX_MIB_PER_H = 1.0
# A connection and its replacement are both open for a moment.
DESCRIPTORS_SLACK = 4
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
# The stand-in's fault, and the kind of failure that a run counts for it.
KIND_OF_FAULT = {
    "reset-in-body": "reset-in-body",
    "close-in-head": "closed-in-head",
    "close-in-body": "incomplete",
}


def look(pid):
    """Resident MiB, open descriptors, CPU seconds; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            rss_mib = int(file.read().split()[1]) * PAGE / 2**20
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    return rss_mib, descriptors, (int(fields[11]) + int(fields[12])) / TICKS


def slope_per_h(rows):
    """Least squares: MiB per hour."""
    n = len(rows)
    mean_t = sum(t for t, *_ in rows) / n
    mean_m = sum(m for _, m, *_ in rows) / n
    above = sum((t - mean_t) * (m - mean_m) for t, m, *_ in rows)
    below = sum((t - mean_t) ** 2 for t, *_ in rows)
    return 3600 * above / below


def sample(seconds, pids):
    """Rows (time, MiB, descriptors, CPU s) of each process, until 3 s before the load's end: then reports are written."""
    rows = {name: [] for name in pids}
    began = time.monotonic()
    while (t := time.monotonic() - began) < seconds - 3:
        for name, pid in pids.items():
            if (seen := look(pid)) is None:
                print(f"FAIL  {name} ended after {t:.0f} s", flush=True)
                return rows
            rows[name].append((t, *seen))
        time.sleep(EVERY_S)
    return rows


def wait_for_end(pids, seconds):
    began = time.monotonic()
    while any(look(pid) for pid in pids) and time.monotonic() - began < seconds:
        time.sleep(0.2)


def count(text):
    return int(text.replace(",", ""))


def stand_in_counts(text):
    """What the stand-in prints at its end: answers by "METHOD ROUTE STATUS", faults by name."""
    lines = re.findall(r"^ *([\d,]+)  (.+)$", text, re.M)
    faults = {what[6:]: count(n) for n, what in lines if what.startswith("fault ")}
    answers = {what: count(n) for n, what in lines if not what.startswith("fault ")}
    return answers, faults


class Verdict:
    def __init__(self):
        self.failed = 0

    def check(self, holds, what):
        self.failed += not holds
        print(f"{'ok   ' if holds else 'FAIL '} {what}")


def judge_process(verdict, name, rows):
    half = rows[len(rows) // 2:]
    slope = slope_per_h(half)
    verdict.check(slope < SLOPE_MAX_MIB_PER_H, f"{name}: memory grows by {slope:+.3f} MiB/h over the second half")
    early = max(d for _, _, d, _ in rows[: len(rows) // 2])
    late = max(d for _, _, d, _ in half)
    verdict.check(late <= early + DESCRIPTORS_SLACK, f"{name}: at most {early} descriptors in the first half, {late} in the second")


def judge_record(verdict, name, record):
    totals = record["totals"]
    sent, requests, cut_off = totals["sent"], totals["requests"], totals["cut_off"]
    verdict.check(sent == requests + cut_off, f"{name}: sent {sent:,} = requests {requests:,} + cut off {cut_off}")
    by_kind = sum(error["count"] for error in record["errors"])
    verdict.check(by_kind == totals["failures"], f"{name}: failures {totals['failures']:,} = sum by kind {by_kind:,}")
    in_series = sum(step["requests"] for row in record["series"] for step in row["steps"])
    verdict.check(in_series == requests, f"{name}: the series' {len(record['series'])} samples hold {in_series:,} requests")


def judge_sums(verdict, records, answers, faults):
    kinds, statuses = Counter(), Counter()
    for record in records:
        for error in record["errors"]:
            kinds[error["kind"]] += error["count"]
        for step in record["steps"]:
            for status, n in step["statuses"].items():
                statuses[f"{step['method']} {step['name']} {status}"] += n
    # The client saw no answer to these requests: it cannot know which fault hit them.
    unseen = sum(r["totals"]["cut_off"] for r in records) + kinds["timeout"] + kinds["unanswered"]
    print("failures by kind: " + ", ".join(f"{kind} {n:,}" for kind, n in sorted(kinds.items())))
    print("faults committed: " + ", ".join(f"{name} {n:,}" for name, n in sorted(faults.items())))
    for fault, kind in KIND_OF_FAULT.items():
        committed, counted = faults.get(fault, 0), kinds[kind]
        verdict.check(counted <= committed <= counted + unseen, f"{committed:,} times {fault}, {counted:,} failures {kind}")
    committed, counted = faults.get("status-500", 0), sum(n for what, n in statuses.items() if what.endswith(" 500"))
    verdict.check(counted <= committed <= counted + unseen, f"{committed:,} times status-500, {counted:,} answers 500")
    # The fault close-idle hits a request that is sent at the same moment: it is reset or finds the connection closed, and
    # is sent once more if that is safe.
    retried = sum(r["totals"]["retried"] for r in records)
    ends, crossed = faults.get("reset-before-head", 0), kinds["reset-before-head"] + kinds["closed-before-head"]
    most = ends + faults.get("close-idle", 0)
    verdict.check(
        ends - unseen <= crossed + retried <= most,
        f"{ends:,} times reset-before-head, {most:,} with close-idle; {crossed:,} failures before the head, {retried:,} retried",
    )
    for what in sorted(answers.keys() | statuses.keys()):
        committed, counted = answers.get(what, 0), statuses[what]
        verdict.check(counted <= committed <= counted + unseen, f"{what}: {committed:,} answered, {counted:,} recorded, at most {unseen} unseen")


def main():
    folder, seconds, stand_in = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    pids = {name: int(pid) for name, pid in (pair.split("=") for pair in sys.argv[4:])}
    all_rows = sample(seconds, pids)
    wait_for_end(pids.values(), 60)
    os.kill(stand_in, signal.SIGINT)
    wait_for_end([stand_in], 10)

    print(f"\n{'run':<8} {'samples':>7} {'RSS first':>10} {'least':>8} {'greatest':>9} {'last MiB':>9} {'MiB/h':>8} {'descriptors':>12} {'CPU s':>7} {'of a core':>9}")
    for name, rows in all_rows.items():
        rss, fds = [r[1] for r in rows], [r[2] for r in rows]
        print(f"{name:<8} {len(rows):>7} {rss[0]:>10.2f} {min(rss):>8.2f} {max(rss):>9.2f} {rss[-1]:>9.2f} "
              f"{slope_per_h(rows[len(rows) // 2:]):>+8.3f} {f'{min(fds)} to {max(fds)}':>12} {rows[-1][3]:>7.1f} {rows[-1][3] / rows[-1][0]:>9.1%}")
    print()
    verdict = Verdict()
    records = []
    for name, rows in all_rows.items():
        judge_process(verdict, name, rows)
        try:
            with open(f"{folder}/{name}.json") as file:
                records.append(json.load(file))
        except (OSError, ValueError) as error:
            verdict.check(False, f"{name}: no record: {error}")
            continue
        judge_record(verdict, name, records[-1])
    with open(f"{folder}/stand-in") as file:
        judge_sums(verdict, records, *stand_in_counts(file.read()))
    print("PASS" if verdict.failed == 0 else f"FAIL: {verdict.failed}")
    sys.exit(verdict.failed != 0)


main()
