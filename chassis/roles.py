"""The roles a service can run in: `api`, `worker`, `relay`, a listener; how each starts, waits, serves and stops.

README.md of this folder says what a service gives to each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from chassis import isolation, lifecycle, logs
from chassis.answers import OnDenied
from chassis.behind_status import Room, once, run_behind_status, run_part, while_opening
from chassis.lifecycle import GRACE_S, Background, Opening, Stopping, Watch
from chassis.readiness import Check, Readiness, broker_answers, database_answers
from chassis.settings import ProcessSettings
from chassis.status_server import in_threads

if TYPE_CHECKING:  # a worker runs this file too, and must not hold grpc or starlette
    from starlette.routing import BaseRoute

    from chassis.grpc_server import GrpcService, KindredGrpcServer
    from chassis.http_requests import RenderRefusal
    from chassis.http_server import HttpServer
    from chassis.policy import Policy

# Whoever only says no, or hands a call to a thread, must not wait behind all threads that compute: with Python's usual
# 5 ms each, 32 of them kept a refusal waiting for half a second.
_TURN_S = 0.0005

S = TypeVar("S", bound=ProcessSettings)
R = TypeVar("R", bound="Room")
log = logs.get()


class Listener(Background, Protocol):
    """A door of the service's own beside gRPC and HTTP."""

    def check(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What an `api` serves. `readiness` adds checks; `background` parts get a thread each.

    `http_tokens` reads the tokens of the HTTP door where they are not the same as everywhere.
    `policy` is the one of chassis/policy where none is named.
    """

    tokens: Any
    on_denied: OnDenied
    http_tokens: Any = None
    grpc: Sequence[GrpcService] = ()
    routes: Sequence[BaseRoute] = ()
    background: Sequence[Background] = ()
    readiness: Mapping[str, Check] = field(default_factory=dict)
    policy: Policy | None = None


def run_api(
    settings_class: type[S],
    environ: Mapping[str, str],
    *,
    service: str,
    build_room: Callable[[S], R],
    prepare: Callable[[R], None],
    open_doors: Callable[[R], Doors],
    render_refusal: RenderRefusal | None = None,
) -> int:
    """Serves gRPC and HTTP until told to stop; the exit code is 0 after a clean stop."""
    isolation.forbid_eventlet()
    take_short_turns()
    settings = lifecycle.begin(settings_class, environ, service, "api")
    stopping = Stopping()
    stopping.listen()
    api = _Api(settings, stopping, render_refusal)

    room_of = once(build_room, settings)

    def open_all() -> None:
        room = room_of()
        prepare(room)
        api.open(room, open_doors(room))

    return api.run(open_all)


def take_short_turns() -> None:
    """The threads of this process change often, so that one that computes does not keep the others' answers waiting."""
    sys.setswitchinterval(_TURN_S)


class _Api:
    """The doors of one process, from "nothing is there yet" to "stopped"."""

    def __init__(
        self, settings: ProcessSettings, stopping: Stopping, render_refusal: RenderRefusal | None
    ) -> None:
        from chassis.http_server import render_plain

        self._settings = settings
        self._stopping = stopping
        self._render = render_refusal or render_plain
        self._readiness: Readiness | None = None
        self._http: HttpServer | None = None
        self._grpc: KindredGrpcServer | None = None
        self._background: Sequence[Background] = ()

    def run(self, steps: Callable[[], None]) -> int:
        from chassis.http_server import serve, waiting_app

        opening = Opening(self._stopping, steps)
        self._readiness = while_opening(opening)
        waiting = waiting_app(self._settings, self._readiness, self._render)
        with lifecycle.listening(self._settings.http_address):
            self._http = serve(waiting, self._settings.http_address, self._settings.http_tls_cert)
        log.info("waiting room open", http_port=self._http.port)
        opening.start()
        self._stopping.wait()
        self._stop()
        return lifecycle.end(self._stopping)

    def open(self, room: Room, doors: Doors) -> None:
        """The doors are open; runs once, in the opening's thread."""
        from chassis.grpc_server import build_server
        from chassis.http_server import build_app
        from chassis.policy import ours

        assert self._http is not None
        policy = doors.policy or ours(self._settings.step_up)
        needed = {"database": lambda: database_answers(room.database), **doors.readiness}
        self._readiness = Readiness(needed, {"broker": broker_answers(self._settings.amqp_uri)})
        app = build_app(
            self._settings,
            routes=doors.routes,
            tokens=doors.http_tokens or doors.tokens,
            readiness=self._readiness,
            render_refusal=self._render,
            on_denied=doors.on_denied,
            policy=policy,
        )
        with lifecycle.listening(self._settings.grpc_address):
            self._grpc = build_server(
                self._settings,
                services=doors.grpc,
                tokens=doors.tokens,
                on_denied=doors.on_denied,
                policy=policy,
            )
        self._grpc.start()
        self._background = doors.background
        for part in doors.background:
            lifecycle.keep_running(part, self._stopping)
        self._http.switch(app)
        Watch(self._readiness, self._stopping).start()
        log.info("ready", grpc_port=self._grpc.port, http_port=self._http.port)

    def _stop(self) -> None:
        log.info("stopping", timeout_s=GRACE_S)
        if self._readiness is not None:
            self._readiness.stop()
        doors: list[tuple[str, Callable[[], None]]] = []
        if self._grpc is not None:
            doors.append(("stop-grpc", self._grpc.stop))
        if self._http is not None:
            doors.append(("stop-http", self._http.stop))
        in_threads(doors, GRACE_S + 1)
        in_threads([("stop-background", part.stop) for part in self._background], 3.0)


def run_worker(
    settings_class: type[S],
    environ: Mapping[str, str],
    *,
    service: str,
    build_room: Callable[[S], R],
    prepare: Callable[[R], None],
    worker: Callable[[R], Any],
) -> int:
    """Hears the bus until told to stop, under the host the settings name."""
    isolation.forbid_grpc()
    settings = lifecycle.begin(settings_class, environ, service, "worker")
    stopping = Stopping()
    stopping.listen()
    hearing = _Hearing()
    room_of = once(build_room, settings)

    def open_all() -> dict[str, Check]:
        from chassis.hosts import open_host

        room: Any = room_of()
        prepare(room)
        hearing.worker = worker(room)
        hearing.host = open_host(hearing.worker, settings, room.database, room.clock)
        hearing.host.start()
        return {"database": lambda: database_answers(room.database), "broker": hearing.check}

    return run_behind_status(settings, stopping, open_all, hearing.stop)


class _Hearing:
    """The host and the worker it runs, once they are there."""

    def __init__(self) -> None:
        self.host: Any = None
        self.worker: Any = None

    def check(self) -> None:
        """Raises NotYet while the inbox is closed."""
        missing = self.host.missing()
        if missing:
            raise lifecycle.NotYet(missing)

    def stop(self) -> None:
        """Nothing new is heard; what runs may end."""
        if self.host is not None:
            self.host.stop(GRACE_S)
        if hasattr(self.worker, "stop"):
            self.worker.stop()


def run_relay(
    settings_class: type[S],
    environ: Mapping[str, str],
    *,
    service: str,
    build_room: Callable[[S], R],
    prepare: Callable[[R], None],
    relay: Callable[[R], Background],
) -> int:
    """Carries the service's events to the bus until told to stop; does nothing else."""

    def open_part(room: R, settings: S) -> tuple[Background, dict[str, Check]]:
        return relay(room), {"broker": broker_answers(settings.amqp_uri)}

    return run_part(
        settings_class,
        environ,
        service=service,
        role="relay",
        build_room=build_room,
        prepare=prepare,
        open_part=open_part,
    )


def run_listener(
    settings_class: type[S],
    environ: Mapping[str, str],
    *,
    service: str,
    role: str,
    build_room: Callable[[S], R],
    prepare: Callable[[R], None],
    open_listener: Callable[[R], Listener],
) -> int:
    """Serves one protocol of the service's own until told to stop; what it stores leaves by another role's relay."""

    def open_part(room: R, _: S) -> tuple[Background, dict[str, Check]]:
        listener = open_listener(room)
        return listener, {role: listener.check}

    return run_part(
        settings_class,
        environ,
        service=service,
        role=role,
        build_room=build_room,
        prepare=prepare,
        open_part=open_part,
    )
