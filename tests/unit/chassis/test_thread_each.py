"""A server whose threads die before they run goes on serving."""

import _thread
import http.client
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chassis.thread_each import ThreadEach


class Server(ThreadEach, HTTPServer):
    """As our small servers are made."""

    daemon_threads = True
    block_on_close = False


class Handler(BaseHTTPRequestHandler):
    """Answers 200."""

    def do_GET(self):
        self.send_response_only(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """It listens."""
    with Server(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield listening
        listening.shutdown()


def _asked(server):
    line = http.client.HTTPConnection(*server.server_address, timeout=10)
    line.request("GET", "/")
    return line.getresponse().status


def test_a_thread_that_never_ran_costs_its_request_and_no_other(server, monkeypatch):
    """As where a thread is made and has no memory for its first call: its client is cut off, the next is answered."""
    start = _thread.start_new_thread
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: start(int, ()))
    with pytest.raises((http.client.HTTPException, OSError)):
        _asked(server)
    monkeypatch.setattr(_thread, "start_new_thread", start)
    assert _asked(server) == 200
