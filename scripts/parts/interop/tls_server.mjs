// An HTTPS server of one version of TLS, on Node. Writes `full` or `resumed` for every connection that sends a request.
// Run: node tls_server.mjs PORT 1.2|1.3 CERTIFICATE KEY SEEN
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [port, version, certificate, key, seen] = process.argv.slice(2)
const counted = new WeakSet()
const settings = {
  cert: readFileSync(certificate),
  key: readFileSync(key),
  minVersion: `TLSv${version}`,
  maxVersion: `TLSv${version}`,
  keepAliveTimeout: 1000,
}
createServer(settings, (request, response) => {
  const { socket } = request
  if (!counted.has(socket)) {
    counted.add(socket)
    appendFileSync(seen, socket.isSessionReused() ? 'resumed\n' : 'full\n')
  }
  response.end('hello')
}).listen(Number(port), '127.0.0.1')
