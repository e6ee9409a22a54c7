"""What scripts/measure web asks of the live page from Python.

  web.py parse URL RECORD                     prometheus_client's parser reads /metrics after the run; totals equal the record
  web.py scrape URL RECORD PROMETHEUS FOLDER  a real Prometheus scrapes the run until after its end; its sums equal the record
  web.py readers OPSURGE FOLDER               the same load with 200 readers and without, in turns
"""

import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_for(path, seconds=60):
    """The record, once it is written."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if Path(path).exists():
            return json.loads(Path(path).read_text())
        time.sleep(0.1)
    sys.exit(f"FAILED: no record in {path}")


def compare(what, found, expected):
    is_equal = found == expected
    print(f"{'' if is_equal else 'FAILED: '}{what}: {found:,.0f}, in the record {expected:,}")
    return is_equal


def parse(url, path):
    from prometheus_client.parser import text_string_to_metric_families

    record = wait_for(path)
    families = list(text_string_to_metric_families(get(url + "metrics")))
    samples = [sample for family in families for sample in family.samples]
    total = lambda name: sum(sample.value for sample in samples if sample.name == name)
    print(f"prometheus_client read {len(families)} families with {len(samples)} samples")
    fine = [
        compare("opsurge_requests_total", total("opsurge_requests_total"), record["totals"]["requests"]),
        compare("opsurge_failures_total", total("opsurge_failures_total"), record["totals"]["failures"]),
        compare("opsurge_response_seconds_count", total("opsurge_response_seconds_count"),
                record["totals"]["all_us"]["count"]),
    ]
    return all(fine)


def scrape(url, path, prometheus, folder):
    target = urllib.parse.urlparse(url).netloc
    config = Path(folder) / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - job_name: opsurge\n    static_configs: [{{targets: ['{target}']}}]\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    log = open(Path(folder) / "prometheus.log", "w")
    server = subprocess.Popen(
        [prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={listen}"],
        stdout=log, stderr=log,
    )
    try:
        record = wait_for(path)
        time.sleep(4)
        ask = lambda query: json.loads(
            get(f"http://{listen}/api/v1/query?query=" + urllib.parse.quote(query)))["data"]["result"]
        value = lambda query: float(ask(query)[0]["value"][1]) if ask(query) else 0.0
        up = value("up{job='opsurge'}")
        print(f"Prometheus: up {up:.0f}, {value('count_over_time(opsurge_users[1h])'):.0f} scrapes,"
              f" {value('count({__name__=~%sopsurge_.*%s})' % (chr(34), chr(34))):.0f} series")
        fine = [
            up == 1,
            compare("sum(opsurge_requests_total)", value("sum(opsurge_requests_total)"), record["totals"]["requests"]),
            compare("sum(opsurge_failures_total)", value("sum(opsurge_failures_total)"), record["totals"]["failures"]),
        ]
        query = "histogram_quantile(0.5, sum by (le) (opsurge_response_seconds_bucket))"
        p50 = record["totals"]["all_us"]["p50"] / 1e6
        print(f"p50 {value(query) * 1e3:.2f} ms from the buckets, {p50 * 1e3:.2f} ms in the record")
        return all(fine)
    finally:
        server.terminate()
        server.wait()


def readers(opsurge, folder):
    """Requests per second and p99 with and without readers that take everything, and with such that take nothing."""
    figures = {"none": [], "200 that read": [], "200 that never read": []}
    for turn in range(3):
        for kind in figures:
            path = Path(folder) / "readers.json"
            path.unlink(missing_ok=True)
            run = subprocess.Popen(
                [opsurge, "run", "workflow", "--mock", "--headless", "--quiet", "--pause", "0", "-u", "40", "--wait", "100ms",
                 "-t", "8s", "--web", "127.0.0.1:0", "--web-linger", "0", "--watch", "none", "--json", path],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            url = next(line for line in run.stderr if line.startswith("live page: ")).split()[2]
            sockets = connect(url) if kind != "none" else []
            while run.poll() is None:
                for reader in sockets if kind == "200 that read" else []:
                    try:
                        while reader.recv(1 << 20):
                            pass
                    except BlockingIOError:
                        pass
                time.sleep(0.02)
            totals = json.loads(path.read_text())["totals"]
            figures[kind].append((totals["rps"], totals["all_us"]["p50"], totals["all_us"]["p99"]))
            for reader in sockets:
                reader.close()
    for kind, runs in figures.items():
        rps, p50, p99 = (statistics.median(column) for column in zip(*runs))
        print(f"readers: {kind:20} {rps:8.1f} requests/s, p50 {p50 / 1e3:.3f} ms, p99 {p99 / 1e3:.2f} ms"
              f" (median of {len(runs)}: {', '.join(f'{run[0]:.1f}' for run in runs)})")
    base, *others = (statistics.median(run[0] for run in runs) for runs in figures.values())
    is_fine = all(abs(rate / base - 1) <= 0.02 for rate in others)
    if not is_fine:
        print("FAILED: the readers moved the rate by more than 2 %")
    return is_fine


def connect(url):
    parsed = urllib.parse.urlparse(url)
    sockets = []
    for _ in range(200):
        reader = socket.create_connection((parsed.hostname, parsed.port))
        reader.sendall(f"GET /events HTTP/1.1\r\nHost: {parsed.netloc}\r\n\r\n".encode())
        reader.setblocking(False)
        sockets.append(reader)
    return sockets


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    sys.exit(0 if {"parse": parse, "scrape": scrape, "readers": readers}[name](*arguments) else 1)
