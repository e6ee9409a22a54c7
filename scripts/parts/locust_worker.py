"""Drives a Locust master with workers of opsurge and of Python, and checks what the master's page says.

usage: locust_worker.py OPSURGE LOCUST FOLDER
"""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

opsurge, locust, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])

LOCUSTFILE = """
from locust import HttpUser, constant, task


class Opsurge(HttpUser):
    wait_time = constant(0.2)

    @task(3)
    def health(self):
        self.client.get("/health")

    @task(1)
    def missing(self):
        self.client.get("/nowhere")
"""
SCENARIO = """
name = "probe"
wait = "200ms"
[[task]]
weight = 3
method = "GET"
path = "/health"
[[task]]
weight = 1
method = "GET"
path = "/nowhere"
"""
(folder / "locustfile.py").write_text(LOCUSTFILE)
(folder / "probe.toml").write_text(SCENARIO)
started = []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(name, *command):
    output = open(folder / f"{name}.txt", "w")
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, stdin=subprocess.DEVNULL)
    started.append(process)
    process.output = folder / f"{name}.txt"
    return process


def fail(text):
    for process in started:
        print(f"--- {process.output.name}\n{process.output.read_text()[-2000:]}")
    sys.exit(f"FAILED: {text}")


def expect(what, holds, seconds=20):
    """Waits until it holds, and returns after how long it did."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if holds():
            return time.monotonic() - began
        time.sleep(0.1)
    fail(f"not within {seconds} s: {what}")


def end(process, how, seconds=15):
    process.send_signal(how)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        fail(f"{process.args[:3]} still runs {seconds} s after {how.name}")


class StandIn:
    def __init__(self, name):
        self.process = start(name, opsurge, "mock", "--listen", "127.0.0.1:0", "--threads", "1", "-t", "300s")
        self.url = None
        expect("the stand-in listens", self.find_url)

    def find_url(self):
        found = re.search(r"http://[0-9.:]+", self.process.output.read_text())
        self.url = found and found.group()
        return found

    def served(self):
        """Ends it; the requests that it has answered."""
        end(self.process, signal.SIGINT)
        lines = self.process.output.read_text().splitlines()
        counts = [re.match(r" +([0-9,]+) +\S+ .*\d{3}$", line) for line in lines]
        return sum(int(found.group(1).replace(",", "")) for found in counts if found)


class Master:
    def __init__(self, name, port, web, *more):
        self.web = f"http://127.0.0.1:{web}"
        self.process = start(
            name, locust, "-f", "locustfile.py", "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port",
            str(port), "--stop-timeout", "2", "--web-host", "127.0.0.1", "--web-port", str(web), *more,
        )

    def call(self, path, **form):
        is_order = path in ("/swarm", "/stop")
        data = urllib.parse.urlencode(form).encode() if is_order else None
        with urllib.request.urlopen(self.web + path, data, timeout=5) as answer:
            return json.load(answer)

    def stats(self):
        try:
            return self.call("/stats/requests")
        except (OSError, urllib.error.URLError):
            return {"workers": [], "state": None, "user_count": 0, "stats": []}

    def workers(self):
        return {worker["id"]: worker for worker in self.stats()["workers"]}

    def total(self):
        return next(row for row in self.stats()["stats"] if row["name"] == "Aggregated")

    def swarm(self, users, rate, host):
        self.call("/swarm", user_count=users, spawn_rate=rate, host=host)
        return expect(f"{users} users run", lambda: self.has(users), 30)

    def has(self, users):
        stats = self.stats()
        counted = [worker["user_count"] for worker in stats["workers"]]
        return stats["state"] == "running" and stats["user_count"] == users == sum(counted)

    def stop(self):
        self.call("/stop")
        return expect("the test is stopped", lambda: self.stats()["state"] == "stopped")


def worker(name, port, *more):
    return start(
        name, opsurge, "worker", "probe.toml", "--master-host", "127.0.0.1", "--master-port", str(port), "--watch", "none",
        "--json", f"{name}.json", "--exit-code-on-error", "0", *more,
    )


def python_worker(name, port):
    return start(
        name, locust, "-f", "locustfile.py", "--worker", "--master-host", "127.0.0.1", "--master-port", str(port),
        "--stop-timeout", "2",
    )


def requests_in(*names):
    return sum(json.loads((folder / name).read_text())["totals"]["requests"] for name in names)


def check_equal(what, ours, theirs):
    if ours != theirs:
        fail(f"{what}: {ours} and {theirs}")
    print(f"  {what}: {ours:,} = {theirs:,}")


def side_by_side():
    print("a master with its page, two opsurge workers and one in Python")
    service, port, web = StandIn("service"), free_port(), free_port()
    master = Master("master", port, web)
    ours = [worker(f"w{number}", port) for number in (1, 2)]
    python = python_worker("python", port)
    took = expect("three workers are ready", lambda: len(master.workers()) == 3, 40)
    print(f"  three workers after {took:.1f} s")
    took = master.swarm(100, 50, service.url)
    shares = sorted(one["user_count"] for one in master.workers().values())
    print(f"  100 users after {took:.1f} s: {shares}")
    time.sleep(4)
    took = master.swarm(40, 100, service.url)
    shares = sorted(one["user_count"] for one in master.workers().values())
    print(f"  40 users after {took:.1f} s: {shares}")
    time.sleep(3)
    print(f"  stopped after {master.stop():.1f} s")
    time.sleep(4)  # The Python worker's last report comes with its next one.
    first = master.total()["num_requests"]
    expect("the workers are ready again", lambda: [one["state"] for one in master.workers().values()] == ["ready"] * 3)
    took = master.swarm(30, 100, service.url)
    print(f"  started again: 30 users after {took:.1f} s")
    time.sleep(3)
    master.stop()
    time.sleep(4)
    second = master.total()
    failures = master.call("/stats/requests")["errors"]
    if not any(one["error"] == "status" and one["occurrences"] > 0 for one in failures):
        fail(f"the failures of the opsurge workers are not on the page: {failures}")
    codes = [end(master.process, signal.SIGTERM)]
    codes += [process.wait(15) for process in [*ours, python]]
    print(f"  ended with codes {codes}")
    both = first + second["num_requests"]
    check_equal("requests on the master's page and at the stand-in", both, service.served())
    subprocess.run([opsurge, "merge", "w1-1.json", "w2-1.json", "-o", "merged.json"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check_equal("requests of the merged record and its parts", requests_in("merged.json"),
                requests_in("w1-1.json", "w2-1.json"))


def headless():
    print("a headless master that quits without a stop")
    service, port, web = StandIn("service2"), free_port(), free_port()
    master = Master("headless", port, web, "--headless", "--expect-workers", "2", "-u", "100", "-r", "100", "-t", "6s",
                    "--host", service.url, "--csv", "headless", "--exit-code-on-error", "0")
    ours = [worker(f"h{number}", port) for number in (1, 2)]
    try:
        codes = [process.wait(40) for process in [master.process, *ours]]
    except subprocess.TimeoutExpired:
        fail("the headless test does not end")
    print(f"  ended with codes {codes}")
    rows = (folder / "headless_stats.csv").read_text().splitlines()
    total = int(next(row for row in rows if row.startswith(",Aggregated")).split(",")[2])
    check_equal("requests of the records and in the master's CSV", requests_in("h1-1.json", "h2-1.json"), total)
    check_equal("requests in the master's CSV and at the stand-in", total, service.served())


def faults():
    print("kill -9 of a worker")
    service, port, web = StandIn("service3"), free_port(), free_port()
    master = Master("faulty", port, web)
    ours = [worker(f"f{number}", port) for number in (1, 2)]
    expect("two workers are ready", lambda: len(master.workers()) == 2, 40)
    master.swarm(20, 100, service.url)
    end(ours[0], signal.SIGKILL)
    took = expect("the killed one is missing", lambda: "missing" in [w["state"] for w in master.workers().values()])
    print(f"  missing after {took:.1f} s; the other goes on")
    before = master.total()["num_requests"]
    expect("the other one still reports", lambda: master.total()["num_requests"] > before)
    print("kill -9 of the master, and another one in its place")
    end(master.process, signal.SIGKILL)
    master = Master("second", port, web)
    took = expect("the worker is known to the new master", lambda: len(master.workers()) == 1, 40)
    print(f"  the worker came back {took:.1f} s after the new master was started")
    expect("the old test's users have ended", lambda: (folder / "f2-1.json").exists())
    expect("the worker is ready", lambda: [one["state"] for one in master.workers().values()] == ["ready"])
    took = master.swarm(10, 100, service.url)
    print(f"  10 users after {took:.1f} s")
    print("the worker stands still for some seconds (SIGSTOP)")
    ours[1].send_signal(signal.SIGSTOP)
    expect("it is missing", lambda: "missing" in [w["state"] for w in master.workers().values()])
    time.sleep(3)
    ours[1].send_signal(signal.SIGCONT)
    # A master that misses its last worker stops the test.
    took = expect("it is ready again", lambda: [one["state"] for one in master.workers().values()] == ["ready"])
    print(f"  ready again after {took:.1f} s; {master.swarm(10, 100, service.url):.1f} s later 10 users run")
    master.stop()
    code = end(ours[1], signal.SIGINT)
    expect("the worker has taken its leave", lambda: len(master.workers()) == 0)
    print(f"  SIGINT: the worker left with code {code}, and the master knows it")
    end(master.process, signal.SIGTERM)
    end(service.process, signal.SIGINT)


try:
    side_by_side()
    headless()
    faults()
    print("all as expected")
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
