"""Measures one client of scripts/bench.sh over a window in the middle of its run. Standard library only.

Run: bench_window.py NAME CONNECTIONS ROUND RESPONDER_PID RESPONDER_ADDRESS FOLDER WARM_S WINDOW_S COMMAND...

All clients are measured alike, whatever they print: requests by the responder's count, CPU time by the kernel's. Both
are read at the start and the end of the window: connecting, registering and ending are in no figure.
Prints one JSON line. Exit code 1 when the client failed, or when any of its requests did.
"""
import glob
import json
import os
import re
import socket
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
CLIENT_CORE = "0"
# How long a client may take to connect, and to end after its run time.
GRACE_S = 60


class Responder:
    """The server's count of answers, asked for on one connection that stays open.

    The canned responder answers with the number, nginx with the page of its stub_status: the fourth number is that of
    requests, this one included.
    """

    def __init__(self, pid, address):
        self.pid = pid
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)

    def answered(self):
        self.socket.sendall(b"GET /answered HTTP/1.1\r\nHost: bench\r\n\r\n")
        answer = b""
        while not (whole := re.search(rb"content-length: (\d+).*?\r\n\r\n(.+)", answer, re.S | re.I)) or len(
            whole.group(2)
        ) < int(whole.group(1)):
            answer += self.socket.recv(4096)
        numbers = re.findall(rb"\d+", whole.group(2))
        return int(numbers[3] if len(numbers) > 1 else numbers[0])


def cpu(pid):
    """CPU seconds of a process: total, user, system, and the time it waited for its core.

    The first and the last have nanoseconds (sched-stats.rst), user and system the kernel's ticks.
    """
    total_ns = waited_ns = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as file:
            ran_ns, delay_ns, _ = map(int, file.read().split())
        total_ns += ran_ns
        waited_ns += delay_ns
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return total_ns / 1e9, int(fields[11]) / TICKS, int(fields[12]) / TICKS, waited_ns / 1e9


def resident_mib_max(pid):
    """0 for a process that is gone."""
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
    return int(found.group(1)) / 1024 if found else 0


def look(responder, pid):
    before = time.monotonic()
    answered = responder.answered()
    # Under load the question for the count waits behind requests: the count is from about half of its round trip.
    moment = (before + time.monotonic()) / 2
    return moment, answered, cpu(pid), cpu(responder.pid)


def fault_of(name, code, text, record):
    """Why a run must not be used, or None."""
    if code != 0:
        return f"exit code {code}"
    if name.startswith("opsurge"):
        with open(record) as file:
            found = json.load(file)
        totals = found["totals"]
        gave_up = sum(poll["gave_up"] for poll in found.get("polls", []))
        if totals["requests"] == 0 or totals["failures"] or gave_up:
            return f"its record: {totals['requests']} requests, {totals['failures']} failures"
    if name.startswith("wrk") and (found := re.search(r"(Non-2xx.*|Socket errors: .*)", text)):
        return found.group(1)
    if name.startswith("h2load") and (found := re.search(r"requests:.* (\d+) failed, (\d+) errored", text)):
        if found.groups() != ("0", "0"):
            return found.group(0)
    if name.startswith("oha"):
        statuses = json.loads(text)["statusCodeDistribution"]
        if not statuses or any(status[0] != "2" for status in statuses):
            return f"statuses {statuses}"
    if name.startswith("gcannon"):
        found = json.loads(text)
        if any(found["errors"].values()) or found["responses"] != found["status"]["2xx"]:
            return f"{found['errors']} {found['status']}"
    return None


def main():
    name, connections, rnd, responder_pid, address, folder, warm_s, window_s = sys.argv[1:9]
    command = sys.argv[9:]
    responder = Responder(int(responder_pid), address)
    answered_before = responder.answered()
    out = os.path.join(folder, "out")
    with open(out, "w") as file:
        # taskset replaces itself with the client: the process id is the client's.
        client = subprocess.Popen(["taskset", "-c", CLIENT_CORE, *command], stdout=file, stderr=subprocess.STDOUT)
    try:
        # Some clients connect before their run time begins: the warm-up starts after as many answers as connections.
        connected_until = time.monotonic() + GRACE_S
        while responder.answered() - answered_before < int(connections):
            if client.poll() is not None or time.monotonic() > connected_until:
                raise TimeoutError("it did not connect")
            time.sleep(0.05)
        time.sleep(float(warm_s))
        first = look(responder, client.pid)
        time.sleep(float(window_s))
        last = look(responder, client.pid)
        resident = resident_mib_max(client.pid)
        if client.poll() is not None:
            raise TimeoutError("it ended before the window")
        code = client.wait(timeout=float(window_s) + GRACE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        client.kill()
        code = f"none ({error})"
    with open(out) as file:
        text = file.read()
    fault = fault_of(name, code, text, os.path.join(folder, "record.json"))
    if fault:
        print(f"{name}, {connections} connections: {fault}\n{text[-2000:]}", file=sys.stderr)
        sys.exit(1)
    seconds, requests = last[0] - first[0], last[1] - first[1]
    total_s, user_s, system_s, waited_s = (b - a for a, b in zip(first[2], last[2]))
    user_share = user_s / (user_s + system_s) if user_s + system_s else 0
    row = {
        "client": name,
        "connections": int(connections),
        "round": int(rnd),
        "requests": requests,
        "seconds": seconds,
        "cpu_s": total_s,
        "user_share": user_share,
        "rss_mib": resident,
        "waited_s": waited_s,
        "responder_cpu_s": last[3][0] - first[3][0],
        "responder_waited_s": last[3][3] - first[3][3],
    }
    if requests <= 0 or total_s <= 0:
        print(f"{name}, {connections} connections: nothing was answered in the window", file=sys.stderr)
        sys.exit(1)
    print(json.dumps(row))


main()
