"""A Locust master, opsurge workers, Python workers and a stand-in as processes in the background, for the other scripts.

The folder is that of the last argument of the script that imports this; the first two are opsurge and locust.
"""

import contextlib
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import locust_probe

opsurge, locust, folder = sys.argv[1], sys.argv[2], Path(sys.argv[-1])
started = []


def write_probe():
    locust_probe.write(folder)


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
    for process in started[-6:]:
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


def worker(name, port, *more, scenario="probe.toml"):
    return start(
        name, opsurge, "worker", scenario, "--master-host", "127.0.0.1", "--master-port", str(port), "--watch", "none",
        "--json", f"{name}.json", "--exit-code-on-error", "0", *more,
    )


def python_worker(name, port):
    return start(
        name, locust, "-f", "locustfile.py", "--worker", "--master-host", "127.0.0.1", "--master-port", str(port),
        "--stop-timeout", "2",
    )


class Relay:
    """A way to a port of this machine whose connections can be cut, or held: open, and carrying nothing."""

    def __init__(self, to_port):
        self.to_port, self.pairs, self.held = to_port, [], set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            ours, _ = self.listener.accept()
            try:
                theirs = socket.create_connection(("127.0.0.1", self.to_port))
            except OSError:
                ours.close()
                continue
            pair = (ours, theirs)
            self.pairs.append(pair)
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self.carry, args=(one, other, pair), daemon=True).start()

    def carry(self, one, other, pair):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if pair not in self.held:
                    other.sendall(data)
            if pair not in self.held:
                other.shutdown(socket.SHUT_WR)

    def cut(self):
        """Resets all connections at both ends."""
        for pair in self.pairs:
            for end_of_pair in pair:
                end_of_pair.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):  # It may be over already.
                    end_of_pair.shutdown(socket.SHUT_RDWR)
                end_of_pair.close()
        self.pairs = []

    def hold(self):
        """From now on the present connections carry nothing, and stay open."""
        self.held |= set(self.pairs)
        self.pairs = []


def requests_in(*names):
    return sum(json.loads((folder / name).read_text())["totals"]["requests"] for name in names)


def check_equal(what, ours, theirs):
    if ours != theirs:
        fail(f"{what}: {ours} and {theirs}")
    print(f"  {what}: {ours:,} = {theirs:,}")


def kill_all():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
