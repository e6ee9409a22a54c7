import random
from locust import FastHttpUser, constant_pacing, task


class ApiUser(FastHttpUser):
    host = "https://api.example"
    wait_time = constant_pacing(10)

    def on_start(self):
        r = self.client.post("/auth/login", data={"email": "ada@example.com", "password": "5ecret-token-login"})
        if r.status_code == 200:
            self.token = r.json()["data"]["access_token"]
        self.headers = {"Authorization": f"Bearer {self.token}", "X-Trace": "load"}

    @task(4)
    def order(self):
        product = random.randint(1, 500)
        r = self.client.post("/orders", headers=self.headers, json={"product": product, "count": 1}, timeout=5)
        body = r.json()
        order_id = body["id"]
        self.client.get(f"/orders/{order_id}", headers=self.headers, name="/orders/[id]")
        self.client.delete(f"/orders/{order_id}", headers=self.headers, name="/orders/[id]")

    @task
    def search(self):
        with self.rest("GET", "/search", params={"q": "a b", "page": 1}) as r:
            first = r.js["hits"][0]["sku"]
            self.client.get("/products/" + first)

    def on_stop(self):
        self.client.post("/auth/logout", headers=self.headers)
