import os
import time
import uuid
from locust import HttpUser, task, between, events

API_KEY = os.environ.get("OPSCORE_API_KEY", "5ecret-default-key")
HEADERS = {"Authorization": f"Bearer {API_KEY}"}
NOTIFY = "/v1/opscore/internal/agent/notify"


@events.test_start.add_listener
def started(environment, **kwargs):
    print("started")


class WorkflowUser(HttpUser):
    wait_time = between(30, 60)

    def on_start(self):
        self.agent_id = "workflow-agent-" + str(uuid.uuid4())
        self.register()
        time.sleep(1)
        self.wait_until_ready()

    def register(self):
        self.client.post(NOTIFY, json={"event_type": "REGISTER", "agent_details": {"agentId": self.agent_id,
                         "capabilities": ["workflow_execution"]}}, name=NOTIFY)

    def wait_until_ready(self, timeout=15):
        deadline = time.time() + timeout
        while time.time() < deadline:
            response = self.client.get(f"/v1/opscore/agent/{self.agent_id}/state", headers=HEADERS,
                                       name="/v1/opscore/agent/[id]/state")
            if response.status_code == 200 and response.json() is not None:
                return True
            time.sleep(1)
        return False

    @task(1)
    def start_workflow(self):
        with self.client.post(f"/v1/opscore/agent/{self.agent_id}/workflow", headers=HEADERS,
                              json={"agentId": self.agent_id, "workflowDefinitionId": "sample_workflow_id",
                                    "context": {"load_test": True, "user": f"user-{self.agent_id}", "scenario": 2}},
                              name="/v1/opscore/agent/[id]/workflow", catch_response=True) as r:
            if r.status_code not in (200, 202):
                r.failure(f"unexpected {r.status_code}")
