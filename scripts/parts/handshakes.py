"""Watches and judges the runs of scripts/measure handshakes. Standard library only.

Run: handshakes.py watch PID              prints the resident memory, in bytes, that the process had last
     handshakes.py judge FOLDER FEW MANY
"""
import json
import os
import sys
import time

CONNECTION_BYTES_MAX = 6 * 1024


def resident_bytes(pid):
    """None for a process that is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            lines = [line for line in file if line.startswith("VmRSS:")]
    except OSError:
        return None
    return int(lines[0].split()[1]) * 1024 if lines else None


def watch(pid):
    # All connections are kept until the run ends. What is freed at its end is not looked at: the last fifth of a second
    # is left out.
    seen = [0]
    while bytes_now := resident_bytes(pid):
        seen.append(bytes_now)
        time.sleep(0.1)
    print(max(seen[-10:-2] or seen))


def judge(folder, few, many):
    failed = False
    resident = {}
    for connections in (few, many):
        with open(os.path.join(folder, f"{connections}.json")) as file:
            record = json.load(file)
        with open(os.path.join(folder, f"{connections}.rss")) as file:
            resident[connections] = int(file.read())
        opening, tls = record["tls"]["opening"], record["tls"]
        in_time = opening["connections"] == connections and opening["took_s"] <= opening["expected_s"]
        failed |= not in_time or record["totals"]["failures"] > 0
        print(
            f"  {connections:,} connections: {opening['connections']:,} shook hands in {opening['took_s']:.2f} s, "
            f"{opening['expected_s']:.2f} s were said; {tls['full_us']['count']:,} full, {tls['resumed_us']['count']:,} "
            f"resumed, {record['totals']['failures']:,} requests failed: {'PASS' if in_time else 'FAIL'}"
        )
    each = (resident[many] - resident[few]) / (many - few)
    failed |= each > CONNECTION_BYTES_MAX
    print(
        f"  a connection: {each:,.0f} bytes resident ({resident[few] / 1e6:.1f} MB with {few:,}, "
        f"{resident[many] / 1e6:.1f} MB with {many:,}); bound {CONNECTION_BYTES_MAX:,}: "
        f"{'PASS' if each <= CONNECTION_BYTES_MAX else 'FAIL'}"
    )
    return failed


if sys.argv[1] == "watch":
    watch(int(sys.argv[2]))
else:
    sys.exit(judge(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
