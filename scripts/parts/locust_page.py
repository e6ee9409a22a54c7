"""A Locust master whose web page is driven in a browser, with two opsurge workers and one in Python.

usage: locust_page.py OPSURGE LOCUST BROWSER SCRIPT SHOTS FOLDER
"""

import csv
import json
import signal
import subprocess
import sys

from locust_processes import (
    Master, StandIn, check_equal, end, expect, fail, folder, free_port, kill_all, opsurge, python_worker, requests_in, worker,
    write_probe,
)

BROWSER, SCRIPT, SHOTS = sys.argv[3:6]


def number(text):
    return int(text.replace(",", ""))


def total(stats):
    """The row of all requests: its number of requests and of failures."""
    row = next(row for row in stats if "Aggregated" in row)
    at = row.index("Aggregated")
    return number(row[at + 1]), number(row[at + 2])


def users_by_worker(step):
    """The users of each worker, as its row on the page says: the column after its state."""
    found = {}
    for row in step["workers"]:
        found[row[0]] = number(row[2])
    return found


def drive(master, service):
    process = subprocess.run(["node", SCRIPT, BROWSER, master.web, service.url, SHOTS], capture_output=True, text=True,
                             timeout=240, stdin=subprocess.DEVNULL)
    if process.returncode:
        fail(f"the browser: {process.stdout[-3000:]}\n{process.stderr[-3000:]}")
    steps = [json.loads(line) for line in process.stdout.splitlines()]
    return {step["step"]: step for step in steps}


def main():
    write_probe()
    service, port, web = StandIn("service"), free_port(), free_port()
    master = Master("master", port, web)
    ours = [worker(f"w{n}", port) for n in (1, 2)]
    python = python_worker("python", port)
    expect("three workers are ready", lambda: len(master.workers()) == 3, 40)
    steps = drive(master, service)
    for name, users in (("100-users", 100), ("40-users", 40), ("stopped", 0), ("stopped-again", 0)):
        shown = users_by_worker(steps[name])
        requests, failures = total(steps[name]["stats"])
        print(f"  {name:<14} {sorted(shown.values())} users; {requests:,} requests, {failures:,} failures on the page")
        if len(shown) != 3 or sum(shown.values()) != users:
            fail(f"{name}: the page's workers have {shown}")
        if users and max(shown.values()) - min(shown.values()) > 1:
            fail(f"{name}: the users are not dealt evenly: {shown}")
    if steps["stopped-again"]["errors"]:
        fail(f"the page's own script: {steps['stopped-again']['errors']}")
    if not any("status" in row for row in steps["stopped-again"]["failures"]):
        fail(f"the failures of the opsurge workers are not on the page: {steps['stopped-again']['failures']}")
    first, second = total(steps["stopped"]["stats"]), total(steps["stopped-again"]["stats"])
    end(master.process, signal.SIGTERM)
    for process in [*ours, python]:
        process.wait(15)
    check_equal("requests on the page, both tests, and at the stand-in", first[0] + second[0], service.served())
    check_csv(second)
    if not requests_in("w1-1.json", "w2-1.json") < first[0]:
        fail("the Python worker has sent nothing")


def check_csv(page):
    with open(f"{SHOTS}/requests.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    all_rows = next(row for row in rows if row["Name"] == "Aggregated")
    check_equal("requests in the page's CSV and on the page", int(all_rows["Request Count"]), page[0])
    check_equal("failures in the page's CSV and on the page", int(all_rows["Failure Count"]), page[1])
    with open(f"{SHOTS}/failures.csv", newline="") as file:
        failures = sum(int(row["Occurrences"]) for row in csv.DictReader(file))
    check_equal("occurrences in the CSV of failures and failures on the page", failures, page[1])


try:
    print("a master's page in a browser, two opsurge workers and one in Python")
    main()
    print("all as expected")
finally:
    kill_all()
