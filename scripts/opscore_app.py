"""Ops-Core's contract as a small FastAPI app, for scripts/interop.sh: a server that nobody here wrote serves it.

Run: uvicorn opscore_app:app --app-dir scripts --port PORT
"""
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel

KEY = "Bearer test-api-key"
app = FastAPI()
polls: dict[str, int] = {}


class Agent(BaseModel):
    agentId: str
    agentName: str
    version: str
    capabilities: list[str]
    contactEndpoint: str
    metadata: dict[str, Any] = {}


class Notify(BaseModel):
    event_type: str
    agent_details: Agent


class Workflow(BaseModel):
    agentId: str | None = None
    workflowDefinitionId: str
    context: dict[str, Any] = {}


def check(authorization: str | None) -> None:
    if authorization is None:
        raise HTTPException(401, "Authorization header missing")
    if authorization != KEY:
        raise HTTPException(401, "Invalid authentication credentials")


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/opscore/internal/agent/notify")
async def notify(body: Notify, authorization: str | None = Header(None)) -> dict[str, str]:
    if authorization is not None:
        raise HTTPException(400, "a registration carries no key")
    polls.setdefault(body.agent_details.agentId, 0)
    return {"status": "success", "message": f"Agent {body.agent_details.agentId} registered successfully."}


@app.get("/v1/opscore/agent/{agent}/state")
async def state(agent: str, authorization: str | None = Header(None)) -> Any:
    check(authorization)
    if agent not in polls:
        raise HTTPException(404, f"No state found for agent {agent}")
    polls[agent] += 1
    if polls[agent] == 1:
        raise HTTPException(404, f"No state found for agent {agent}")
    if polls[agent] == 2:
        return Response("null", media_type="application/json")
    now = datetime.now(timezone.utc).isoformat()
    return {"agentId": agent, "state": "UNKNOWN", "details": {}, "timestamp": now}


@app.post("/v1/opscore/agent/{agent}/workflow", status_code=202)
async def workflow(agent: str, body: Workflow, authorization: str | None = Header(None)) -> dict[str, str]:
    check(authorization)
    if agent not in polls:
        raise HTTPException(404, f"Agent not found: {agent}")
    return {
        "sessionId": str(uuid4()),
        "workflowId": body.workflowDefinitionId,
        "message": "Workflow triggered successfully",
    }
