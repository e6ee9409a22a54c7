import os
import random

from locust import HttpUser, User, between, task

QUERY = "?kind=[kind]&page=[page]"


def setting(name, default):
    return int(os.getenv(name, default))


class Tester(HttpUser):
    host = os.getenv("SHOP_HOST", "http://shop.test:8000")
    wait_time = between(setting("WAIT_MIN", 1), setting("WAIT_MAX", 4))
    token = None

    def on_start(self):
        self.token = self.login("ann")

    def send(self, method, path, **kwargs):
        with self.client.request(method, path, catch_response=True, **kwargs) as answer:
            if answer.status_code >= 500:
                answer.failure("server error")
            return answer

    def login(self, name):
        answer = self.send("POST", "/login", json={"user": name, "password": "5ecret-word"})
        return answer.json()["token"]

    @task
    def orders(self):
        if self.token:
            self.client.get("/orders", headers={"Authorization": f"Bearer {self.token}"})

    @task
    def search(self):
        path = QUERY.replace("[kind]", "tea").replace("[page]", str(random.randint(1, 9)))
        answer = self.client.get("/search" + path)
        assert answer.status_code in (200, 204)
        assert answer.json()["count"] > 0

    @task
    def sized(self):
        answer = self.client.post("/size", json={"rows": setting("ROWS", 20), "of": getattr(self, "color", "red")})
        if answer.status_code == 201:
            self.client.get("/sizes")
        else:
            self.client.get("/sizes/failed")

    @task
    def elsewhere(self):
        self.client.get(route_of("items"))


class Worker(User):
    @task
    def compute(self):
        pass
