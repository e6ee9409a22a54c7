"""Checks answers and records of opsurge for scripts/measure interop. Standard library only.

Run: opsurge request --json ... | check.py answer 'status == 200'
     check.py record FILE 'failures == 0'        the sums hold, and the condition on its totals and kinds
     check.py handshakes FILE                    prints its full and resumed handshakes
     check.py contract FILE                      scenario 2, 10 users, 200 iterations: every step as the contract has it
"""
import json
import sys
from collections import Counter


def demand(holds, *what):
    if not holds:
        sys.exit("not so: " + " ".join(map(str, what)))


def answer(condition):
    found = json.load(sys.stdin)
    demand(eval(condition, {}, found), condition, found)


def sums_hold(record):
    totals = record["totals"]
    demand(totals["sent"] == totals["requests"] + totals["cut_off"], "sent = requests + cut off", totals)
    by_kind = sum(error["count"] for error in record["errors"])
    demand(totals["failures"] == by_kind, "failures = sum by kind", totals, record["errors"])


def short(found):
    """Its numbers and texts; of distributions, how many values they have."""
    counts = {name: value["count"] for name, value in found.items() if isinstance(value, dict) and "count" in value}
    return {name: value for name, value in found.items() if not isinstance(value, (dict, list))} | counts


def record(path, condition):
    with open(path) as file:
        found = json.load(file)
    sums_hold(found)
    kinds = Counter()
    for error in found["errors"]:
        kinds[error["kind"]] += error["count"]
    known = found["totals"] | {"kinds": kinds, "tls": found.get("tls")}
    demand(eval(condition, {}, known), condition, known["kinds"], short(found["totals"]), short(found.get("tls") or {}))


def handshakes(path):
    with open(path) as file:
        tls = json.load(file)["tls"]
    print(tls["full_us"]["count"], tls["resumed_us"]["count"])


def contract(path):
    with open(path) as file:
        found = json.load(file)
    sums_hold(found)
    demand(found["totals"]["failures"] == found["totals"]["cut_off"] == 0, "no failure, nothing cut off", found["errors"])
    statuses = {step["name"].rsplit("/", 1)[1]: step["statuses"] for step in found["steps"]}
    expected = {"notify": {"200": 10}, "state": {"200": 20, "404": 10}, "workflow": {"202": 200}}
    demand(statuses == expected, expected, statuses)


{"answer": answer, "record": record, "handshakes": handshakes, "contract": contract}[sys.argv[1]](*sys.argv[2:])
