"""Holds the CSV files of opsurge to those of a Locust run: locust_csv.py LOCUST_PREFIX OPSURGE_PREFIX

Each check prints a line; the exit code is 1 when one of them failed.
"""

import sys

import pandas as pd

SUFFIXES = ["stats", "stats_history", "failures", "exceptions"]
STEPS = {"/health", "/nowhere"}
failed = 0


def check(what, holds, found=""):
    global failed
    failed += not holds
    print(f"{'ok    ' if holds else 'FAILED'}  {what}{'' if holds else f': {found}'}")


def read(prefix):
    return {suffix: pd.read_csv(f"{prefix}_{suffix}.csv") for suffix in SUFFIXES}


def kind(column):
    """Numbers are numbers, whether whole or not; an empty column has no type."""
    if column.isna().all():
        return "empty"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def analysis(files):
    """What people do with these files: a table of steps, rates and percentiles over time, the share of failures."""
    stats, history = files["stats"], files["stats_history"]
    steps = stats[stats["Name"] != "Aggregated"].set_index("Name")
    total = stats[stats["Name"] == "Aggregated"].iloc[0]
    overall = history[history["Name"] == "Aggregated"].copy()
    overall["when"] = pd.to_datetime(overall["Timestamp"], unit="s")
    rates = overall.set_index("when")["Requests/s"].resample("1s").mean()
    return {
        "steps": set(steps.index),
        "share": float(total["Failure Count"] / total["Request Count"]),
        "sum": bool(steps["Request Count"].sum() == total["Request Count"]),
        "sum of failures": bool(steps["Failure Count"].sum() == total["Failure Count"]),
        "seconds": len(rates),
        "rate": float(overall["Requests/s"].iloc[-1]),
        "p95": float(total["95%"]),
        "users": int(overall["User Count"].max()),
        "grows": bool(overall["Total Request Count"].is_monotonic_increasing),
        "ordered": all(
            steps.loc[step, "50%"] <= steps.loc[step, "95%"] <= steps.loc[step, "100%"] for step in steps.index
        ),
        "failures": int(files["failures"]["Occurrences"].sum()),
    }


locust, opsurge = (read(prefix) for prefix in sys.argv[1:3])
for suffix in SUFFIXES:
    ours, theirs = opsurge[suffix], locust[suffix]
    check(f"{suffix}: the same columns in the same order", list(ours) == list(theirs), f"{list(ours)} {list(theirs)}")
    for name in theirs.columns.intersection(ours.columns):
        kinds = kind(ours[name]), kind(theirs[name])
        agree = kinds[0] == kinds[1] or "empty" in kinds
        if not agree:
            check(f"{suffix}: {name} has the same type", False, kinds)
    check(f"{suffix}: types agree", True)

for name, files in [("locust", locust), ("opsurge", opsurge)]:
    stats, history = files["stats"], files["stats_history"]
    check(f"{name}: the last row is the aggregate with an empty type",
          stats["Name"].iloc[-1] == "Aggregated" and pd.isna(stats["Type"].iloc[-1]), stats.tail(1))
    check(f"{name}: a row for each step", set(stats["Name"][:-1]) == STEPS, stats["Name"])
    check(f"{name}: types are methods", set(stats["Type"][:-1]) == {"GET"}, stats["Type"])
    check(f"{name}: the history has steps and aggregates",
          set(history["Name"]) == STEPS | {"Aggregated"}, set(history["Name"]))
    check(f"{name}: timestamps are whole seconds of one run",
          pd.api.types.is_integer_dtype(history["Timestamp"]) and history["Timestamp"].max() - history["Timestamp"].min() < 60)
    check(f"{name}: failures are those of the step that fails", set(files["failures"]["Name"]) == {"/nowhere"})

results = {name: analysis(files) for name, files in [("locust", locust), ("opsurge", opsurge)]}
print(pd.DataFrame(results).to_string())
for name, found in results.items():
    for fact in ["sum", "sum of failures", "grows", "ordered"]:
        check(f"{name}: {fact}", found[fact], found)
theirs, ours = results["locust"], results["opsurge"]
check("both see the same steps and users", (ours["steps"], ours["users"]) == (theirs["steps"], theirs["users"]))
check("both see a quarter of the requests fail", all(0.15 < found["share"] < 0.35 for found in results.values()))
check("rates are alike (5 users, 200 ms apart)", 0.7 < ours["rate"] / theirs["rate"] < 1.4, (ours["rate"], theirs["rate"]))
check("both histories cover the run", abs(ours["seconds"] - theirs["seconds"]) <= 3, (ours["seconds"], theirs["seconds"]))
print("the files differ" if failed else "every check passed")
sys.exit(failed > 0)
