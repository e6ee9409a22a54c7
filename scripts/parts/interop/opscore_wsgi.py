"""Ops-Core's contract as a WSGI app (see README.md), for gunicorn without uvicorn. Standard library only.

Run: gunicorn --worker-class gthread --threads 8 --chdir scripts/parts/interop --bind 127.0.0.1:PORT opscore_wsgi:app
"""
import json
import re
import threading
from uuid import uuid4

KEY = "Bearer test-api-key"
AGENT = re.compile(r"/v1/opscore/agent/([^/]+)/(state|workflow)")
lock = threading.Lock()
polls = {}


def notify(environ, body):
    if "HTTP_AUTHORIZATION" in environ:
        return "400 Bad Request", {"detail": "a registration carries no key"}
    agent = body["agent_details"]["agentId"]
    with lock:
        polls.setdefault(agent, 0)
    return "200 OK", {"status": "success", "message": f"Agent {agent} registered successfully."}


def of_agent(environ, agent, what, body):
    if environ.get("HTTP_AUTHORIZATION") != KEY:
        return "401 Unauthorized", {"detail": "Invalid authentication credentials"}
    with lock:
        known = agent in polls
        if known and what == "state":
            polls[agent] += 1
        seen = polls.get(agent, 0)
    if not known or what == "state" and seen == 1:
        return "404 Not Found", {"detail": f"No state found for agent {agent}"}
    if what == "state":
        return "200 OK", None if seen == 2 else {"agentId": agent, "state": "UNKNOWN", "details": {}}
    return "202 Accepted", {"sessionId": str(uuid4()), "workflowId": body["workflowDefinitionId"], "message": "Workflow triggered"}


def answer(environ, method, path):
    if path == "/health":
        return "200 OK", {"status": "ok"}
    if path == "/upload":
        size = len(environ["wsgi.input"].read())
        return ("200 OK" if size == 1_000_000 else "400 Bad Request"), {"bytes": size}
    if path == "/early":
        return "413 Payload Too Large", {"detail": "too large"}
    body = json.loads(environ["wsgi.input"].read() or "null") if method == "POST" else None
    if path == "/v1/opscore/internal/agent/notify":
        return notify(environ, body)
    if found := AGENT.fullmatch(path):
        return of_agent(environ, found[1], found[2], body)
    return "404 Not Found", {"detail": "Not Found"}


def app(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path == "/chunked":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"x" * 1000] * 100)
    if path in ("/large", "/close"):
        body = b"x" * 1_000_000 if path == "/large" else b"closing"
        more = [("Connection", "close")] if path == "/close" else []
        start_response("200 OK", [("Content-Length", str(len(body))), *more])
        return [body]
    status, content = answer(environ, method, path)
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [b"" if method == "HEAD" else body]
