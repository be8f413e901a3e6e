"""The two ways of one HTTP request: the body with its limits, and the answer to a client that may not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Send

from chassis.errors import Kind, Refusal

# A client has this long to send its whole body, and to take each part of an answer.
BODY_S = 10.0
TAKE_S = 30.0
TOO_SLOW = "body-too-slow"
_LINGER_S = 3.0
_SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_HTML_SECURITY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class ClientGone(Exception):  # noqa: N818
    """The client closed before its request was whole: nothing was done and nobody waits for an answer."""


class Outgoing:
    """The way to the client: adds headers, notes the status, and gives up on a client that does not read."""

    def __init__(self, send: Send, on_stream: Callable[[], None]) -> None:
        self._send = send
        self._on_stream = on_stream
        self.headers: dict[str, str] = {}
        self.status = 0
        self.is_stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            kind = headers.get("content-type", "")
            is_html = kind.startswith("text/html")
            self.is_stream = kind.startswith("text/event-stream")
            if self.is_stream:  # open for hours: it waits, and is no work that could be too much
                self._on_stream()
            for name, value in (self.headers | _SECURITY | (_HTML_SECURITY if is_html else {})).items():
                headers.setdefault(name, value)
        async with asyncio.timeout(TAKE_S):
            await self._send(message)


def _too_large(max_body_bytes: int) -> Refusal:
    message = f"The body is larger than {max_body_bytes} bytes."
    return Refusal("body-too-large", Kind.TOO_LARGE, message, max_body_bytes=max_body_bytes)


class Incoming:
    """The way from the client: the body with its limits, and what is left of it after a refusal."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self._headers = headers
        self._receive = receive
        self._is_whole = False

    async def read(self, max_body_bytes: int) -> bytes:
        """The whole body; raises a Refusal where it is too large or too slow, ClientGone where nobody is there."""
        told = self._headers.get("content-length", "0")
        if not told.isdigit() or int(told) > max_body_bytes:
            raise _too_large(max_body_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_S):
                while not self._is_whole:
                    part = await self._part()
                    size += len(part)
                    if size > max_body_bytes:
                        raise _too_large(max_body_bytes)
                    parts.append(part)
        except TimeoutError:
            raise Refusal(TOO_SLOW, Kind.INVALID, "The body did not arrive in time.") from None
        return b"".join(parts)

    async def drain(self) -> bool:
        """What is left is read and thrown away for a while, so that the client sees our answer and no broken pipe.

        True where the connection can be used again.
        """
        if self._headers.get("expect", "").lower() == "100-continue":
            return self._is_whole  # it waits for our word before it sends
        try:
            async with asyncio.timeout(_LINGER_S):
                while not self._is_whole:
                    await self._part()
        except (TimeoutError, ClientGone):
            return False
        return True

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._is_whole = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    def replay(self, body: bytes) -> Receive:
        """A `receive` for the route, which finds the body as if it had just come."""
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await self._receive()

        return again
