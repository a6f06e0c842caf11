"""The simulator posts events as the document says, and the SDK understands them over a real socket."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest

from callsavvy_async.simulator.webhooks import EVENTS, CallbackResponse, encode_event, post_event


class Callback(BaseHTTPRequestHandler):
    """Answers with the request's own content type, path and body."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.send_header("content-type", f"{self.headers['content-type']}; from {self.path}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.mark.sockets
@pytest.mark.parametrize("name", EVENTS)
def test_events_are_posted(name: str) -> None:
    """An event arrives as it was built, at the URL's path and query, and the answer is handed back whole."""
    with HTTPServer(("127.0.0.1", 0), Callback) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        answer = post_event(f"http://127.0.0.1:{server.server_port}/a/b?c=d", name, {"x": "1"}).result(5)
        thread.join()
    kind, body = encode_event(name, {"x": "1"})
    assert answer == CallbackResponse(201, f"{kind}; from /a/b?c=d", body)


@pytest.mark.sockets
def test_nobody_there() -> None:
    """A connection that is refused is the future's error."""
    with HTTPServer(("127.0.0.1", 0), Callback) as server:
        port = server.server_port
    with pytest.raises(ConnectionRefusedError):
        post_event(f"http://127.0.0.1:{port}/", "newChat").result(5)


def test_encodings() -> None:
    """The chatbotCallback is a form, everything else JSON; given fields replace the sample's (quirk Q53)."""
    kind, body = encode_event("chatbotCallback", {"sender_name": "Å & B"})
    assert kind == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode())["sender_name"] == ["Å & B"]
    kind, body = encode_event("newChat", {"visitor_name": "Å"})
    assert kind == "application/json"
    assert json.loads(body)["visitor_name"] == "Å"
    assert json.loads(encode_event("moonRose")[1]) == {"event": "moonRose"}
