from locust import HttpUser, task
import random

class U(HttpUser):
    wait_time = lambda self: random.expovariate(1)

    @task
    def t(self):
        q = random.choice(["red shoes", "blue|hat", "green"])
        self.client.get("/s", params={"q": q}, name="/s?q=[q]")
        self.client.get(f"/again/{unknown_name}", files={"f": open("x")}, **extra)
        with self.client.get("/checked", catch_response=True) as resp:
            if resp.status_code != 404:
                resp.failure("found")
            elif resp.elapsed.total_seconds() > 1:
                resp.failure("slow")
