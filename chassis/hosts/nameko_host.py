"""The nameko host: listeners and timers run as nameko workers on eventlet, messages come over our own extension.

Never nameko's stock consumers: they acknowledge a message whose handler raised (RELIABILITY, finding 1).
The process MUST have called `eventlet.monkey_patch()` before it imported anything else.
"""

from __future__ import annotations

import time
from typing import Any

import eventlet
from eventlet import patcher
from nameko.containers import ServiceContainer, WorkerContext
from nameko.extensions import DependencyProvider, Entrypoint, SharedExtension, register_entrypoint
from nameko.timer import Timer

from chassis.gathering import Work
from chassis.hosts import Hosting, hub
from chassis.hosts.beat import Heart
from chassis.hosts.line import Line
from chassis.hosts.timers import Timers
from chassis.receiving import Receiver

_PARTS = "KINDRED_PARTS"
_STOP_S = 5.0


class Inbox(SharedExtension):
    """The service's connection to the broker: one greenlet owns it, every listener shares it."""

    def __init__(self) -> None:
        self.entrypoints: dict[str, Hears] = {}
        super().__init__()

    def setup(self) -> None:
        """The line exists; nothing is connected yet."""
        parts: Parts = self.container.config[_PARTS]
        self.line = parts.line
        self.line.spawn_with(self._spawn)

    def start(self) -> None:
        """The owner's greenlet runs."""
        self._owner = self.container.spawn_managed_thread(self.line.run, identifier="line")

    def stop(self) -> None:
        """The connection is closed."""
        self.line.stop()
        self._owner.wait()

    def kill(self) -> None:
        """The connection is dropped."""
        self.line.stop()

    def _spawn(self, work: Work) -> None:
        self.container.spawn_worker(
            self.entrypoints[work.method], (work,), {}, handle_result=self._handle_result
        )

    def _handle_result(self, context: WorkerContext, result: Any, exc_info: Any) -> tuple[Any, Any]:
        self.line.done(context.args[0])
        return result, exc_info


class Hears(Entrypoint):
    """One listener's method as a nameko entrypoint; its work comes from the shared inbox."""

    inbox = Inbox()

    def setup(self) -> None:
        """The inbox knows where this listener's work goes."""
        name = "" if self.method_name == _PARKING else self.method_name
        self.inbox.entrypoints[name] = self


class ReceiverProvider(DependencyProvider):
    """Gives each nameko worker the receiver, and with it the service's own Worker."""

    def get_dependency(self, worker_ctx: WorkerContext) -> Receiver:
        """The one receiver of this process."""
        return self.container.config[_PARTS].receiver


class LineProvider(DependencyProvider):
    """Gives each nameko worker the line its answers go to."""

    def get_dependency(self, worker_ctx: WorkerContext) -> Line:
        """The one line of this process."""
        return self.container.config[_PARTS].line


class Parts:
    """What the extensions of one container share."""

    def __init__(self, receiver: Receiver, line: Line) -> None:
        self.receiver = receiver
        self.line = line
        self.timers = {name: (seconds, tick) for name, seconds, tick in Timers(receiver, line).all()}


_PARKING = "bus_parking"


def service_class(parts: Parts) -> type:
    """A nameko service class with one entrypoint for each listener and each timer of the worker."""
    members: dict[str, Any] = {
        "name": parts.receiver.service,
        "receiver": ReceiverProvider(),
        "line": LineProvider(),
    }
    for name in (_PARKING, *(listening.method for listening in parts.receiver.ears.all())):
        members[name] = _listener(name)
        register_entrypoint(members[name], Hears())
    for name, (seconds, tick) in parts.timers.items():
        members[name] = _timer(name, tick)
        register_entrypoint(members[name], Timer(seconds, eager=True))
    return type(f"{parts.receiver.service.capitalize()}Service", (), members)


def _listener(name: str) -> Any:
    def listen(self: Any, work: Work) -> None:
        self.receiver.take(work, self.line)

    listen.__name__ = name
    return listen


def _timer(name: str, tick: Any) -> Any:
    def run(self: Any) -> None:
        tick()

    run.__name__ = name
    return run


class NamekoHost:
    """Runs one worker in a nameko container; raises RuntimeError in a process that is not patched."""

    def __init__(self, parts: Hosting) -> None:
        if not patcher.is_monkey_patched("socket"):
            raise RuntimeError("eventlet.monkey_patch() must be the first thing a nameko worker does")
        self._heart = Heart()
        self._line = Line(
            parts.amqp_uri,
            parts.receiver,
            beat=self._heart.beat,
            slots=parts.slots,
            declares_topology=parts.declares_topology,
        )
        shared = Parts(parts.receiver, self._line)
        workers = parts.slots + len(shared.timers) + 1
        self._container = ServiceContainer(service_class(shared), {_PARTS: shared, "max_workers": workers})

    def start(self) -> None:
        """The container runs; returns at once."""
        hub.end_without_memory()
        self._heart.start()
        self._container.start()

    def missing(self) -> str:
        """ "broker" until the inbox is open."""
        return "" if self._line.is_consuming else "broker"

    def stop(self, grace_s: float = 20.0) -> None:
        """Waits up to `grace_s` for what runs, then stops the container, by force where it does not."""
        self._line.drain()
        until = time.monotonic() + grace_s
        while self._line.running() and time.monotonic() < until:
            eventlet.sleep(0.02)
        self._line.stop()
        with eventlet.Timeout(_STOP_S, False):
            self._container.stop()
        with eventlet.Timeout(_STOP_S, False):
            self._container.kill()
        self._heart.stop()
