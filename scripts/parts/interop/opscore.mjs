// Ops-Core's contract (see README.md) on Node's http module.
// Run: node scripts/parts/interop/opscore.mjs PORT
import http from "node:http";
import { randomUUID } from "node:crypto";

const KEY = "Bearer test-api-key";
const polls = new Map();

async function whole(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function notify(request, body) {
  if (request.headers.authorization) return [400, { detail: "a registration carries no key" }];
  const agent = body.agent_details.agentId;
  if (!polls.has(agent)) polls.set(agent, 0);
  return [200, { status: "success", message: `Agent ${agent} registered successfully.` }];
}

function ofAgent(request, agent, what, body) {
  if (request.headers.authorization !== KEY) return [401, { detail: "Invalid authentication credentials" }];
  const unknown = [404, { detail: `No state found for agent ${agent}` }];
  if (!polls.has(agent)) return unknown;
  if (what === "workflow")
    return [202, { sessionId: randomUUID(), workflowId: body.workflowDefinitionId, message: "Workflow triggered" }];
  const seen = polls.get(agent) + 1;
  polls.set(agent, seen);
  if (seen === 1) return unknown;
  return [200, seen === 2 ? null : { agentId: agent, state: "UNKNOWN", details: {} }];
}

function json(response, [status, content]) {
  const text = JSON.stringify(content);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

async function serve(request, response) {
  switch (request.url) {
    case "/health":
      return json(response, [200, { status: "ok" }]);
    case "/chunked":
      for (let n = 0; n < 100; n++) response.write("x".repeat(1000));
      return response.end();
    case "/large":
      response.writeHead(200, { "Content-Length": 1000000 });
      return response.end(Buffer.alloc(1000000, "x"));
    case "/close":
      response.writeHead(200, { Connection: "close", "Content-Length": 7 });
      return response.end("closing");
    case "/early":
      return json(response, [413, { detail: "too large" }]);
    case "/upload": {
      const bytes = (await whole(request)).length;
      return json(response, [bytes === 1000000 ? 200 : 400, { bytes }]);
    }
  }
  const body = request.method === "POST" ? JSON.parse(await whole(request)) : null;
  if (request.url === "/v1/opscore/internal/agent/notify") return json(response, notify(request, body));
  const found = request.url.match(/^\/v1\/opscore\/agent\/([^/]+)\/(state|workflow)$/);
  json(response, found ? ofAgent(request, found[1], found[2], body) : [404, { detail: "Not Found" }]);
}

const server = http.createServer(serve);
server.keepAliveTimeout = 1000;
server.maxRequestsPerSocket = 100;
server.listen(Number(process.argv[2]), "127.0.0.1");
