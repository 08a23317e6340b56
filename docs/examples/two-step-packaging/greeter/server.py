"""Answers HTTP on the port in $PORT."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from greeter.greeting import greeting


class Greeter(BaseHTTPRequestHandler):
    """`/NAME` is greeted; `/` is everybody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{greeting(self.path.strip('/'))}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the end."""
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    ThreadingHTTPServer(address, Greeter).serve_forever()
