"""A user class of Locust, and the same as a scenario: 5 requests/s a user, a quarter of them failures.

locust_probe.py FOLDER writes them as locustfile.py and probe.toml.
"""

import sys
from pathlib import Path

PROBE_LOCUSTFILE = """
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
PROBE_SCENARIO = """
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


def write(folder):
    (folder / "locustfile.py").write_text(PROBE_LOCUSTFILE)
    (folder / "probe.toml").write_text(PROBE_SCENARIO)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
