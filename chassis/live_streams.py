"""Server streams that wait without a thread: a method hands over a feed, and a few senders look when it is woken.

grpc gives every stream a thread of its pool for as long as it lives; streams that mostly wait would use up the pool.
Here a stream costs memory while it waits, and a sender's time only when there is news (grpc's experimental
non-blocking handlers, which its own health service uses).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc
import pymongo
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status

from chassis import answers, identity, metrics
from chassis.errors import Kind, Refusal
from chassis.identity import Caller

SENDERS = 4
MOST_OF_A_CALLER = 32
MOST = 2_000
# Whoever does not take a message for so long is cut off, so that they hold no sender.
STALLED_S = 10.0
_STORE_S = 10.0
M = TypeVar("M", bound=Callable[..., Any])
Send = Callable[[Message | None], None]
ToStatus = Callable[[BaseException, Caller | None, str], status_pb2.Status]


class News(NamedTuple):
    """What a look found: messages to send, and whether the stream ends after them."""

    messages: Sequence[Message] = ()
    is_over: bool = False


class Feed(Protocol):
    """What one stream follows; never looked at from two threads at once."""

    def listen(self, wake: Callable[[], None]) -> None:
        """From here on `wake` is called whenever looking may be worth it."""

    def look(self) -> News:
        """What is new since the last look; what it raises ends the stream with a status."""

    def close(self) -> None:
        """Nothing is followed any more; may be called twice, and from any thread."""


def live(method: M) -> M:
    """Marks a servicer's method that returns a Feed instead of messages."""
    method.is_live = True  # type: ignore[attr-defined]
    return method


class LiveStreams:
    """All live streams of a server: at most `most`, and `most_of_a_caller` for one actor."""

    def __init__(
        self,
        to_status: ToStatus,
        *,
        senders: int = SENDERS,
        most: int = MOST,
        most_of_a_caller: int = MOST_OF_A_CALLER,
    ) -> None:
        self._to_status = to_status
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="live")
        self._most, self._most_of_a_caller = most, most_of_a_caller
        self._lock = threading.Lock()
        self._open: set[_Stream] = set()
        self._of_caller: Counter[str] = Counter()
        self._is_stopping = False

    def wrap(self, method: str, behavior: Callable[..., Any], served: Callable[..., Any]) -> Any:
        """The method as grpc calls it: the first look within the call, every other one in a sender."""

        def call(request: Any, context: grpc.ServicerContext, send: Send) -> None:
            with served(method, context):
                feed = behavior(request, context)
                try:
                    caller = identity.current_caller()
                    self._begin(_Stream(self, feed, method=method, caller=caller, context=context, send=send))
                except Exception:
                    feed.close()
                    raise

        call.experimental_non_blocking = True  # type: ignore[attr-defined]
        return call

    def stop(self) -> None:
        """Every stream ends with UNAVAILABLE, so that its caller watches again somewhere else."""
        self._is_stopping = True
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            stream.wake()

    def _begin(self, stream: _Stream) -> None:
        with self._lock:
            if self._is_stopping:
                raise _stopping()
            who = stream.caller.actor_id
            if len(self._open) >= self._most or self._of_caller[who] >= self._most_of_a_caller:
                message = "You watch too much at once; end a stream first."
                raise Refusal("too-many-streams", Kind.EXHAUSTED, message, most=self._most_of_a_caller)
            self._open.add(stream)
            self._of_caller[who] += 1
        metrics.LIVE_STREAMS.inc()
        try:
            stream.begin()
        except Exception:
            self.forget(stream)
            raise

    def forget(self, stream: _Stream) -> None:
        """The stream has ended; its feed is closed."""
        with self._lock:
            if stream not in self._open:
                return
            self._open.discard(stream)
            self._of_caller -= Counter([stream.caller.actor_id])
        metrics.LIVE_STREAMS.dec()
        stream.feed.close()

    def run(self, stream: _Stream) -> None:
        """The stream is looked at by one of the senders."""
        self._pool.submit(stream.pump)

    def look(self, stream: _Stream) -> News | status_pb2.Status:
        """The feed's news, or the status its stream ends with."""
        token = identity.set_current(stream.caller)
        try:
            if self._is_stopping:
                raise _stopping()
            with pymongo.timeout(_STORE_S):
                return stream.feed.look()
        except Exception as error:  # noqa: BLE001  every end of a stream is a status
            return self._to_status(error, stream.caller, stream.method)
        finally:
            identity.reset_current(token)


class _Stream:
    """One caller's stream; `pump` runs in one sender at a time, again where it was woken meanwhile."""

    def __init__(
        self,
        streams: LiveStreams,
        feed: Feed,
        *,
        method: str,
        caller: Caller,
        context: grpc.ServicerContext,
        send: Send,
    ) -> None:
        self.method, self.caller, self.feed = method, caller, feed
        self._streams, self._context, self._send = streams, context, send
        self._lock = threading.Lock()
        self._is_running = self._is_woken = self._is_over = False
        self._first: News | None = None

    def begin(self) -> None:
        """The first look; what it raises refuses the call."""
        self._is_running = True  # nobody else looks meanwhile
        self.feed.listen(self.wake)
        self._first = self.feed.look()
        if not self._context.add_callback(self._gone):
            self._gone()
            return
        self._streams.run(self)

    def wake(self) -> None:
        """There may be news."""
        with self._lock:
            self._is_woken = True
            if self._is_running or self._is_over:
                return
            self._is_running = True
        self._streams.run(self)

    def pump(self) -> None:
        """Sends what is new, until there is nothing."""
        try:
            while self._step():
                pass
        except Exception as error:  # noqa: BLE001  a bug ends this stream, not the sender
            answers.note_bug(error, "grpc", self.method)
            self._context.cancel()
            self._gone()
        if self._is_over:
            self._streams.forget(self)

    def _step(self) -> bool:
        """True where it was woken meanwhile and has to look again."""
        news: News | status_pb2.Status | None = self._first
        self._first = None
        if news is None:
            with self._lock:
                self._is_woken = False  # what woke it until now, this look finds
            news = self._streams.look(self)
        is_over = self._tell(news)
        with self._lock:
            self._is_over = self._is_over or is_over
            self._is_running = self._is_woken and not self._is_over
            return self._is_running

    def _tell(self, news: News | status_pb2.Status) -> bool:
        guard = threading.Timer(STALLED_S, self._context.cancel)
        guard.daemon = True
        guard.start()
        try:
            if isinstance(news, status_pb2.Status):
                self._end(news)
                return True
            for message in news.messages:
                self._send(message)
            if news.is_over:
                self._send(None)
            return news.is_over
        finally:
            guard.cancel()

    def _end(self, answer: status_pb2.Status) -> None:
        status: Any = rpc_status.to_status(answer)
        self._context.set_code(status.code)
        self._context.set_details(status.details)
        self._context.set_trailing_metadata(status.trailing_metadata)
        self._send(None)

    def _gone(self) -> None:
        """Called by grpc when the call has ended, whoever ended it."""
        with self._lock:
            self._is_over = True
        self._streams.forget(self)


def _stopping() -> Refusal:
    return Refusal("stopping", Kind.UNAVAILABLE, "This process stops; watch again.", retry_after_s=1)
