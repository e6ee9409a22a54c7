"""Disturbs runs on purpose, and compares the seconds that the record marks with those that were disturbed.

Run: verdicts.py OPSURGE FOLDER      standard library only
"""
import datetime
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

OPSURGE, WORK = sys.argv[1], Path(sys.argv[2])
CORES = sorted(os.sched_getaffinity(0))
GENERATOR, SERVER = CORES[0], CORES[-1]
FROM_S, TO_S, LENGTH_S = 3, 6, 9
SPINNERS = 3
QUOTA_US, PERIOD_US = 10_000, 100_000
# A closed load of few users, which waits for its answers: the shard works well below 90 % of the time.
LOAD = ["-u", "8"]


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


class StandIn:
    """A stand-in on the last core."""

    def __init__(self, *flags):
        command = [OPSURGE, "mock", "--listen", "127.0.0.1:0", "--threads", "1", "-t", "60s", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(SERVER))
        self.url = re.search(r"http://[0-9.:]+", self.process.stdout.readline()).group()

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Spinners:
    """Programs on the generator's core that are never idle."""

    def enter(self):
        pass

    def begin(self):
        command = [sys.executable, "-c", "while True: pass"]
        self.processes = [subprocess.Popen(command, preexec_fn=pinned(GENERATOR)) for _ in range(SPINNERS)]

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


def own_group(controller):
    """The path of this process's control group below its controller's root."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""


class Quota:
    """A control group, in this process's own, that allows a tenth of a core."""

    def __init__(self):
        self.folder = None
        for root, controller, name in (("/sys/fs/cgroup/cpu", "cpu", "cpu.cfs_quota_us"),
                                       ("/sys/fs/cgroup", "", "cpu.max")):
            folder = Path(root) / own_group(controller) / f"opsurge-verdicts-{os.getpid()}"
            try:
                folder.mkdir()
                (folder / name).read_text()
                self.folder, self.file, self.is_v2 = folder, folder / name, name == "cpu.max"
                return
            except OSError:
                if folder.is_dir():
                    folder.rmdir()

    def enter(self):
        """In the process that becomes the generator."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def begin(self):
        self.file.write_text(f"{QUOTA_US} {PERIOD_US}" if self.is_v2 else str(QUOTA_US))

    def end(self):
        self.file.write_text("max" if self.is_v2 else "-1")

    def remove(self):
        self.folder.rmdir()


def run(name, url, flags, disturbance=None):
    """A run; its record, and the seconds since its start between which it was disturbed."""
    path = WORK / f"{name}.json"
    command = [OPSURGE, "run", "workflow", "--host", url, "--headless", "--shards", "1", "--wait", "0", "--pause", "0",
               "-t", f"{LENGTH_S}s", "--json", str(path), *flags]

    def start():
        pinned(GENERATOR)()
        if disturbance:
            disturbance.enter()

    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=start)
    moments = (0.0, 0.0)
    if disturbance:
        time.sleep(FROM_S)
        before = time.time()
        disturbance.begin()
        time.sleep(TO_S - FROM_S)
        disturbance.end()
        moments = (before, time.time())
    process.wait()
    record = json.loads(path.read_text())
    started = record["run"]["started_at"].replace("Z", "+00:00")
    started = datetime.datetime.fromisoformat(started).timestamp()
    return record, tuple(moment - started for moment in moments)


def marked(record):
    """The load's seconds that are not VALID: end of the second, verdict, what was found."""
    # The first second starts processes and opens connections.
    load = [sample for sample in record["series"]
            if not sample["is_drain"] and sample["length_s"] >= 0.5 and sample["t_s"] > 1.5]
    return [(sample["t_s"], sample["verdict"], sample.get("causes", {})) for sample in load
            if sample["verdict"] != "VALID"], len(load)


class Table:
    def __init__(self):
        self.failed = 0

    def row(self, case, is_ok, text):
        self.failed += not is_ok
        print(f"{case:<14} {'ok' if is_ok else 'NOT OK':<7} {text}", flush=True)


def check_disturbed(table, case, record, moments, cause):
    found, _ = marked(record)
    from_s, to_s = moments
    inside = [end for end, _, causes in found if cause in causes and end > from_s and end - 1 < to_s]
    whole = [second for second in range(1, LENGTH_S + 1) if second - 1 >= from_s and second <= to_s]
    missed = [second for second in whole if not any(abs(end - second) < 0.5 for end in inside)]
    others = [round(end) for end, _, _ in found if end <= from_s - 0.5 or end - 1 >= to_s + 0.5]
    figures = ", ".join(f"{round(end)}: {causes.get(cause, 0):.3g}" for end, _, causes in found if cause in causes)
    table.row(case, not missed and not others,
              f"disturbed {from_s:.1f} s to {to_s:.1f} s; {cause} by second: {figures or 'never'}"
              + (f"; not marked: {missed}" if missed else "") + (f"; marked beside: {others}" if others else ""))
    return record["generator"]["verdict"]


def main():
    if len(CORES) < 2:
        sys.exit("it needs two cores")
    table = Table()
    with StandIn() as url:
        quiet, _ = run("quiet", url, LOAD)
        found, seconds = marked(quiet)
        busy = quiet["generator"]["shards"][0]["busy"]
        table.row("quiet", not found, f"{len(found)} of {seconds} seconds marked, the shard {busy:.0%} busy"
                  + ("; this machine is not quiet: the rows below may fail" if found else ""))
        record, moments = run("spinners", url, LOAD, Spinners())
        print("  ", check_disturbed(table, "spinners", record, moments, "core_waited")["status"])
        quota = Quota()
        if quota.folder is None:
            print("quota          SKIPPED: no control group with CPU control can be made here (it needs root)")
        else:
            record, moments = run("quota", url, LOAD, quota)
            print("  ", check_disturbed(table, "quota", record, moments, "throttled_us")["status"])
            quota.remove()
    with StandIn("--mock-workers", "100", "--mock-service-time", "100ms") as url:
        record, _ = run("slow", url, ["-u", "50"])
        verdict, (found, seconds) = record["generator"]["verdict"], marked(record)
        p50_ms = record["totals"]["service_us"]["p50"] / 1e3
        table.row("slow server", verdict["status"] == "VALID" and not found,
                  f"{verdict['status']}, {len(found)} of {seconds} seconds marked, service p50 {p50_ms:.1f} ms")
        record, _ = run("pool", url, ["-u", "50", "--connections", "5"])
        verdict, (found, seconds) = record["generator"]["verdict"], marked(record)
        all_are = all(status == "CONNECTIONS-LIMITED" for _, status, _ in found)
        table.row("short pool", verdict["status"] == "CONNECTIONS-LIMITED" and len(found) == seconds and all_are,
                  f"{verdict['status']}, {len(found)} of {seconds} seconds marked")
    sys.exit(table.failed > 0)


main()
