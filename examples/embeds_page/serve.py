"""Serve the page with all five widgets: ``python examples/embeds_page/serve.py --port 8080``.

The environment variable CALLSAVVY_PUBLIC_KEY holds the public key. The default is the published sandbox key.
"""

from __future__ import annotations

import argparse
import os
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from page import render

from callsavvy_async import Credentials

PUBLIC_KEY = os.environ.get("CALLSAVVY_PUBLIC_KEY") or Credentials.SANDBOX.public_key


class Handler(BaseHTTPRequestHandler):
    """Responds to every path with the page and a new nonce."""

    def do_GET(self) -> None:
        """Respond with the page and its policy."""
        page, policy = render(
            PUBLIC_KEY, department="support", number="+2348012345678", nonce=secrets.token_urlsafe(16)
        )
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on loopback until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="0 for any free port")
    with ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
