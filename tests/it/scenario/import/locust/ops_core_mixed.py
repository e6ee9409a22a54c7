import random, uuid
from locust import HttpUser, LoadTestShape, between, task


class Steps(LoadTestShape):
    def tick(self):
        return (300, 50)


class MixedUser(HttpUser):
    wait_time = between(1, 5)

    def on_start(self):
        self.id = f"loadtest-agent-{uuid.uuid4()}"
        self.client.post("/v1/opscore/internal/agent/notify", json={"event_type": "REGISTER", "agent_details": {"agentId": self.id}})

    @task(80)
    def state(self):
        self.client.post("/v1/opscore/agent/%s/state" % self.id, json={"state": random.choice(["idle", "active"])}, name="/v1/opscore/agent/[id]/state")

    @task(15)
    def read(self):
        if random.random() < 0.5:
            self.client.get("/health")
        self.client.get("/v1/opscore/agent/{}/state".format(self.id), name="/v1/opscore/agent/[id]/state")

    @task(5)
    def workflow(self):
        self.client.post(f"/v1/opscore/agent/{self.id}/workflow", json={"workflow": {"tasks": [{"id": "a", "n": random.randint(1, 9)}]}})
