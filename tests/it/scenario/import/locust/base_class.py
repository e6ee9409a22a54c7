import json
import itertools
from locust import HttpUser, between, tag, task
from faker import Faker

fake = Faker()
PREFIX = "/api/v1"


class Base(HttpUser):
    abstract = True
    wait_time = between(0.1, 0.3)
    region = "eu"

    def headers(self):
        return {"Content-Type": "application/json", "X-Region": self.region}


class Writer(Base):
    region = "us"

    @tag("write")
    @task
    def write(self):
        body = {"mail": fake.email(), "at": fake.date()}
        body["kind"] = "note"
        self.client.post(PREFIX + "/notes", data=json.dumps(body), headers=self.headers())

    @task
    def update(self):
        note = self.client.get(f"{PREFIX}/notes/latest").json()
        self.client.request("PATCH", f"{PREFIX}/notes/1", json={"old": None, "ok": True, "n": 1.5})
