"""Judges the records of scripts/measure million by their bounds. Standard library only.

Run: million.py users|workflow RECORD USERS
     million.py connections RECORD_OF_ONE RECORD_OF_MANY CONNECTIONS
"""
import json
import sys

CLIENT_RSS_MAX_MB = 200
CONNECTIONS_RSS_MAX_MB = 40
# A user of scenario `million` waits 45 s on average between two calls.
WAIT_MEAN_S = 45
SPAWNED_PER_S = 100_000


def load(path):
    with open(path) as file:
        return json.load(file)


class Table:
    def __init__(self):
        self.failed = False

    def row(self, what, value, passed=None):
        """`passed` is None for a row that has no bound."""
        self.failed |= passed is False
        print(f"  {what:<44} {value:<24} {'' if passed is None else 'PASS' if passed else 'FAIL'}")


def judge_users(name, record, users):
    generator, series = record["generator"], record["series"]
    is_judged = name == "users"
    table = Table()
    rss_mb = generator["rss_max_bytes"] / 1e6
    table.row(
        f"peak memory of the client, bound {CLIENT_RSS_MAX_MB} MB",
        f"{rss_mb:.0f} MB, {rss_mb * 1e6 / users:.0f} B/user",
        rss_mb <= CLIENT_RSS_MAX_MB,
    )
    if is_judged:
        complete = next((s for s in series if s["users"] >= 0.999 * users), None)
        spawned_s = complete and complete["t_s"] + complete["length_s"]
        in_time = spawned_s is not None and spawned_s <= users / SPAWNED_PER_S + 1.1
        table.row(f"all users spawned, {SPAWNED_PER_S:,} a second", f"after {spawned_s} s", in_time)
    for step in record["steps"]:
        client = step["client_us"]
        is_measured = step["requests"] > 0
        shown = "no requests"
        if is_measured:
            shown = f"p50 {client['p50']:.0f} p99 {client['p99']:.0f} max {client['max']:.0f} us"
        passed = is_measured and client["p99"] < 1000 if is_judged and step["name"] == "steady" else None
        table.row(f"client time of {step['name'][-24:]}", shown, passed)
    last = [s for s in series if s["t_s"] > series[-1]["t_s"] * 0.6]
    requests = sum(step["requests"] for s in last for step in s["steps"])
    rate = requests / max(1e-9, sum(s["length_s"] for s in last))
    rate_min = 0.95 * 0.99 * users / WAIT_MEAN_S
    table.row("requests/s, last part of the run", f"{rate:,.0f}", rate >= rate_min if is_judged else None)
    table.row("longest turn", f"{generator['turn_us']['max']:.0f} us (p99 {generator['turn_us']['p99']:.0f})")
    failures = record["totals"]["failures"]
    table.row("failures", f"{failures:,} of {record['totals']['requests']:,}", failures == 0)
    return table.failed


def judge_connections(one, many, connections):
    above_mb = (many["generator"]["rss_max_bytes"] - one["generator"]["rss_max_bytes"]) / 1e6
    opened = many["generator"]["connect_us"]["count"]
    table = Table()
    table.row("connections opened", f"{opened:,}", opened >= connections)
    table.row(
        f"memory above one connection's, bound {CONNECTIONS_RSS_MAX_MB} MB",
        f"{above_mb:.1f} MB",
        above_mb <= CONNECTIONS_RSS_MAX_MB,
    )
    return table.failed


def main():
    name, *arguments = sys.argv[1:]
    if name == "connections":
        one, many, connections = arguments
        failed = judge_connections(load(one), load(many), int(connections))
    else:
        record, users = arguments
        failed = judge_users(name, load(record), int(users))
    sys.exit(failed)


main()
