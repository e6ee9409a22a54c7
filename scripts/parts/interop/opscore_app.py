"""Ops-Core's contract as a small FastAPI app (see README.md), for uvicorn, and gunicorn with uvicorn's worker.

Run: uvicorn opscore_app:app --app-dir scripts/parts/interop --port PORT
"""
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
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


@app.api_route("/health", methods=["GET", "HEAD"])
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


@app.get("/chunked")
async def chunked() -> StreamingResponse:
    return StreamingResponse(iter([b"x" * 1000] * 100), media_type="text/plain")


@app.get("/large")
async def large() -> Response:
    return Response(b"x" * 1_000_000)


@app.post("/upload")
async def upload(request: Request) -> dict[str, int]:
    size = len(await request.body())
    if size != 1_000_000:
        raise HTTPException(400, f"{size} bytes")
    return {"bytes": size}


@app.get("/close")
async def close() -> Response:
    return Response("closing", headers={"Connection": "close"})


@app.post("/early", status_code=413)
async def early() -> dict[str, str]:
    return {"detail": "too large"}
