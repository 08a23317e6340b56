"""The HTTP server: GET /, GET /products/N, GET /healthz."""

import argparse
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop.catalogue import PRODUCTS, price_of


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request; a mistake of ours is a 500, as everywhere."""
        try:
            status, body = self._answer()
        except Exception as error:
            status, body = 500, {"error": str(error)}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self) -> tuple[int, dict[str, object]]:
        path = self.path.split("?")[0]
        if path == "/healthz":
            return 200, {"status": "ok"}
        if path == "/":
            return 200, {"products": sorted(PRODUCTS)}
        if path.startswith("/products/"):
            name = path.removeprefix("/products/")
            if name not in PRODUCTS:
                return 404, {"error": f"there is no product {name}"}
            return 200, {"product": name, "price": price_of(name)}
        return 404, {"error": "not found"}

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the router counts."""


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
