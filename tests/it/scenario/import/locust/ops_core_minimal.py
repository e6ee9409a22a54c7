import uuid
import random
import logging
from datetime import datetime, timezone
from locust import HttpUser, task, between

logger = logging.getLogger(__name__)
STATES = ["idle", "active", "error", "finished"]
API_KEY = "5ecret-ops-core-key"


class OpsCoreUser(HttpUser):
    """One agent."""
    wait_time = between(1, 2)
    host = "http://localhost:8000"

    def on_start(self):
        self.agent_id = f"loadtest-agent-{uuid.uuid4()}"
        self.client.headers.update({"Authorization": f"Bearer {API_KEY}"})
        payload = {
            "event_type": "REGISTER",
            "agent_details": {
                "agentId": self.agent_id,
                "agentName": f"LoadTestAgent-{self.agent_id}",
                "version": "1.0",
                "capabilities": ["state_reporting"],
                "contactEndpoint": f"http://fake-agent-{self.agent_id}.local/run",
                "metadata": {"load_test_user": self.agent_id, "scenario": 0},
            },
        }
        with self.client.post("/v1/opscore/internal/agent/notify", json=payload,
                              name="/v1/opscore/internal/agent/notify", catch_response=True) as response:
            if response.status_code == 200:
                logger.info("registered %s", self.agent_id)
                response.success()
            else:
                response.failure(f"registration failed: {response.status_code}")

    @task
    def update_state(self):
        self.client.post(
            f"/v1/opscore/agent/{self.agent_id}/state",
            json={"agentId": self.agent_id, "timestamp": datetime.now(timezone.utc).isoformat(),
                  "state": random.choice(STATES), "details": {"load_test": True, "user": f"user-{self.agent_id}"}},
            name="/v1/opscore/agent/[id]/state",
        )
