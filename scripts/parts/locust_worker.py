"""Drives a Locust master with workers of opsurge and of Python, and checks what the master's page says.

usage: locust_worker.py OPSURGE LOCUST FOLDER
"""

import signal
import subprocess
import time

from locust_processes import (
    Master, Relay, StandIn, check_equal, end, expect, fail, folder, free_port, kill_all, opsurge, python_worker, requests_in,
    worker, write_probe,
)


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


def cut_connections():
    print("the connection of one of two workers is cut, then goes silent")
    service, port, web = StandIn("service4"), free_port(), free_port()
    master = Master("cut", port, web)
    relay = Relay(port)
    ours = [worker("c1", relay.port), worker("c2", port)]
    expect("two workers are ready", lambda: len(master.workers()) == 2, 40)
    master.swarm(20, 100, service.url)

    known = set(master.workers())
    relay.cut()
    time.sleep(6)  # A worker that did not come back is missing after 5 s.
    if set(master.workers()) != known or not master.has(20):
        fail(f"after a cut: {master.workers()}")
    print("  cut: the same two workers have all 20 users")
    relay.hold()

    def is_back():
        running = {name for name, one in master.workers().items() if one["state"] == "running"}
        return len(running) == 2 and len(running - known) == 1 and master.has(20)

    took = expect("the worker whose connection is silent has its users again", is_back, 60)
    print(f"  silent: back under a new identity, with its users, after {took:.1f} s")
    time.sleep(2)
    master.stop()
    codes = [end(process, signal.SIGINT) for process in ours]
    end(master.process, signal.SIGTERM)
    print(f"  ended with codes {codes}")
    records = sorted(path.name for path in folder.glob("c[12]-*.json"))
    check_equal(f"requests in {len(records)} records and at the stand-in", requests_in(*records), service.served())


try:
    write_probe()
    side_by_side()
    headless()
    faults()
    cut_connections()
    print("all as expected")
finally:
    kill_all()
