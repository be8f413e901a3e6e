"""A socketserver whose every request has a thread, and which outlives a thread that dies before it runs."""

from __future__ import annotations

import _thread
import socketserver
import sys
from typing import Any

from chassis import out_of_memory


class ThreadEach(socketserver.ThreadingMixIn):
    """In place of ThreadingMixIn, which waits for ever for a thread that got no memory for its first call.

    (`Thread.start` waits until the new thread says that it runs; one that dies before never does.)
    """

    def process_request(self, request: Any, client_address: Any) -> None:
        """The request is served beside the others; where there is no memory for that, its connection ends."""
        _thread.start_new_thread(self.process_request_thread, (request, client_address))

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no event; the default prints a traceback."""
        error = sys.exc_info()[1]
        if error is not None:
            out_of_memory.end_if_meant(error)
