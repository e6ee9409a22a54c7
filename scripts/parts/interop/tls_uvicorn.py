"""An HTTPS server of one version of TLS, on uvicorn. Writes `full` or `resumed` for every connection that sends a request.

Run: tls_uvicorn.py PORT 1.2|1.3 CERTIFICATE KEY SEEN
"""
import ssl
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

port, version, certificate, key, seen = sys.argv[1:]
log = open(seen, "a", buffering=1)


class Counting(HttpToolsProtocol):
    is_counted = False

    def data_received(self, data):
        if not self.is_counted:
            self.is_counted = True
            resumed = self.transport.get_extra_info("ssl_object").session_reused
            log.write("resumed\n" if resumed else "full\n")
        super().data_received(data)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


config = uvicorn.Config(
    app, host="127.0.0.1", port=int(port), http=Counting, log_level="warning", lifespan="off",
    ssl_certfile=certificate, ssl_keyfile=key,
)
config.load()
only = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
config.ssl.minimum_version = config.ssl.maximum_version = only
uvicorn.Server(config).run()
