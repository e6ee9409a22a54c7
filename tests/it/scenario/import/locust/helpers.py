import time, random, uuid
from locust import HttpUser, task, constant_throughput


def new_id(prefix="u"):
    return f"{prefix}-{uuid.uuid4()}"


class Device(HttpUser):
    wait_time = constant_throughput(4)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.device = new_id("dev")
        self.serial = random.randint(1, 1000)

    @task
    def report(self):
        try:
            self._send("/report", level=random.choice([10, 20, 30]))
        except Exception as error:
            print(error)
        time.sleep(random.uniform(1, 2))
        self.client.get("/late")

    def _send(self, path, level=0):
        self.client.post(path, json={"device": self.device, "serial": self.serial, "level": level,
                                     "at": int(time.time() * 1000), "load": random.random()},
                         headers={"X-Request-Id": str(uuid.uuid4())}, cookies={"sid": "5ecret-cookie-sid"})
