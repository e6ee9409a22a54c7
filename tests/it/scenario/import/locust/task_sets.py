from locust import HttpUser, SequentialTaskSet, TaskSet, constant, task


class Checkout(SequentialTaskSet):
    def on_start(self):
        self.client.get("/csrf")

    @task
    def cart(self):
        self.client.put("/cart", data="item=1&count=2", headers={"Content-Type": "application/x-www-form-urlencoded"})

    @task
    def pay(self):
        self.client.post("/pay", json={"card_number": "4111", "cvv": 123})
        self.interrupt()


class Browse(TaskSet):
    @task(3)
    def index(self):
        self.client.get("/")

    @task(1)
    def about(self):
        self.client.get("/about", allow_redirects=False)


class Shopper(HttpUser):
    tasks = {Browse: 3, Checkout: 1}
    wait_time = constant(0.5)


class Admin(HttpUser):
    @task
    def admin(self):
        self.client.get("/admin", auth=("root", "5ecret-admin"))
