from locust import FastHttpUser, HttpUser, between, constant, task


class Shopper(HttpUser):
    host = "http://shop.example"
    weight = 3
    wait_time = between(1, 5)

    def on_start(self):
        self.token = self.client.post("/login", json={"name": "shopper"}).json()["token"]

    @task(2)
    def items(self):
        self.client.get("/items")

    @task
    def order(self):
        self.client.post("/orders", json={"item": 1}, headers={"Authorization": f"Bearer {self.token}"})


class Reader(FastHttpUser):
    weight = 1

    @task
    def items(self):
        self.client.get("/items")


class Clerk(HttpUser):
    host = "http://office.example"
    fixed_count = 2
    wait_time = constant(10)

    @task
    def open_orders(self):
        self.client.get("/orders/open")

    def on_stop(self):
        self.client.post("/logout")


class Idle(HttpUser):
    @task
    def nothing(self):
        pass


class Never(HttpUser):
    weight = 0

    @task
    def admin(self):
        self.client.get("/admin")
