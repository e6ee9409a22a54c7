"""Loads a Locust master with eight opsurge workers at rates that grow tenfold, and measures what each message costs it.

usage: locust_scale.py OPSURGE LOCUST WORKERS SECONDS FOLDER
"""

import json
import signal
import statistics
import subprocess
import sys
import time

from locust_processes import Master, StandIn, check_equal, end, expect, fail, folder, free_port, kill_all, opsurge, requests_in, worker

WORKERS, SECONDS = int(sys.argv[3]), float(sys.argv[4])
# From the start of one request of a user to the start of its next: its response time does not thin the rate.
PACE_S = 0.1
# Requests/s that the users ask for; none: the workers are ready, and no test runs.
RATES = [0, 500, 5_000, 50_000]
# All users have come by then: a worker learns of them within a second, and spreads their coming over the next.
RAMP_S = 4
# A heartbeat each second; the master calls a worker missing 4 s after the last one.
HEARTBEAT_GAP_MAX_S = 3

# The master's own file: it notes each message with its size, and the CPU time that it takes to decode and to handle.
LOCUSTFILE = '''
import json
import time

from locust import User, events, task
from locust.rpc.protocol import Message

messages = []


class Opsurge(User):
    @task
    def opsurge(self):
        pass


@events.init.add_listener
def watch(environment, **_):
    runner = environment.runner
    decode, handle = Message.unserialize, runner.handle_message

    def unserialize(data):
        began = time.thread_time()
        message = decode(data)
        message.noted = [time.time(), message.type, len(data), time.thread_time() - began, 0.0]
        return message

    def handle_message(client_id, message):
        began = time.thread_time()
        handle(client_id, message)
        message.noted[4] = time.thread_time() - began
        messages.append([client_id, *message.noted])

    Message.unserialize = unserialize
    runner.handle_message = handle_message


@events.quit.add_listener
def keep(**_):
    with open("messages.json", "w") as file:
        json.dump(messages, file)
'''
SCENARIO = f"""
name = "scale"
wait = "pacing {PACE_S * 1000:.0f}ms"
[[task]]
weight = 3
method = "GET"
path = "/health"
[[task]]
weight = 1
name = "other"
method = "GET"
path = "/health?other"
"""


def cpu_s(process):
    """CPU time of a process in seconds."""
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def run_test(master, service, users):
    """Runs a test; its window (begin, end, CPU time of the master) and the requests that the master counted in it."""
    if users:
        # All at once: the ramp is not what is measured.
        master.swarm(users, users, service.url)
        time.sleep(RAMP_S)
    began, before = time.time(), cpu_s(master.process)
    states = set()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(2)  # The master's page asks as often.
        states |= {one["state"] for one in master.workers().values()}
    ended, after = time.time(), cpu_s(master.process)
    if "missing" in states:
        fail(f"a worker was missing at {users} users")
    requests = 0
    if users:
        master.stop()
        expect("the workers are ready", lambda: {one["state"] for one in master.workers().values()} == {"ready"})
        requests = master.total()["num_requests"]
    return (began, ended, after - before), requests


def row(users, window, messages):
    began, ended, cpu = window
    length = ended - began
    inside = [one for one in messages if began <= one[1] < ended]
    reports = [one for one in inside if one[2] == "stats"]
    beats = [one for one in inside if one[2] == "heartbeat"]
    mean = lambda values: sum(values) / max(1, len(values))
    cost_ms = lambda kind: 1e3 * mean([one[4] + one[5] for one in kind])
    gaps = []
    for client in {one[0] for one in beats}:
        at = [one[1] for one in beats if one[0] == client]
        gaps += [later - earlier for earlier, later in zip(at, at[1:])]
    return {
        "reports_per_s": len(reports) / length,
        "report_bytes": mean([one[3] for one in reports]),
        "report_bytes_max": max([one[3] for one in reports], default=0),
        "report_ms": cost_ms(reports),
        "beat_ms": cost_ms(beats),
        "beats": len(beats),
        "gap_s": max(gaps, default=0),
        "cpu": 100 * cpu / length,
    }


def main():
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    (folder / "scale.toml").write_text(SCENARIO)
    service, port, web = StandIn("service"), free_port(), free_port()
    master = Master("master", port, web)
    names = [f"w{number}" for number in range(1, WORKERS + 1)]
    flags = ("--shards", "1", "-u", "10000", "--quiet")
    ours = [worker(name, port, *flags, scenario="scale.toml") for name in names]
    expect(f"{WORKERS} workers are ready", lambda: len(master.workers()) == WORKERS, 60)
    windows, counted = [], []
    for rate in RATES:
        window, requests = run_test(master, service, round(rate * PACE_S))
        windows.append(window)
        counted.append(requests)
    log = master.process.output.read_text()
    end(master.process, signal.SIGTERM)
    for process in ours:
        process.wait(15)
    messages = json.loads((folder / "messages.json").read_text())
    tests = len(RATES) - 1
    print(f"{WORKERS} workers; windows of {SECONDS:.0f} s; master's CPU in % of one core, its page polled every 2 s")
    print("   asked  measured  reports/s  bytes/report   (max)  ms/report  ms/heartbeat  longest gap  master's CPU")
    for at, (rate, window) in enumerate(zip(RATES, windows)):
        found = row(rate, window, messages)
        made = 0.0
        if at:
            made = merged_rate(names, at)
        print(f"{rate:>8,}  {made:>8,.0f}  {found['reports_per_s']:>9.1f}  {found['report_bytes']:>12,.0f} "
              f"{found['report_bytes_max']:>7,}  {found['report_ms']:>9.2f}  {found['beat_ms']:>12.2f}  "
              f"{found['gap_s']:>9.2f} s  {found['cpu']:>10.1f} %")
        if found["gap_s"] > HEARTBEAT_GAP_MAX_S:
            fail(f"{found['gap_s']:.1f} s between two heartbeats")
    for text in ("failed to send heartbeat", "missing", "Discarded report", "CPU usage was too high"):
        if text in log:
            fail(f"the master says {text!r}")
    check_equal("requests on the master's page and at the stand-in", sum(counted), service.served())
    files = [f"{name}-{test}.json" for name in names for test in range(1, tests + 1)]
    check_equal("requests in the workers' records and on the master's page", requests_in(*files), sum(counted))


def merged_rate(names, test):
    """Merges the workers' records of a test; the median of its seconds, without those of the ramp and of the end."""
    files = [f"{name}-{test}.json" for name in names]
    subprocess.run([opsurge, "merge", *files, "-o", f"merged-{test}.json"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    series = json.loads((folder / f"merged-{test}.json").read_text())["series"]
    return statistics.median([second["rps"] for second in series if not second["is_drain"]][RAMP_S:-1])


try:
    main()
    print("all as expected")
finally:
    kill_all()
