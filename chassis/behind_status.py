"""A process that has no gRPC and no pages: it opens when its parts are there, and says over HTTP how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from chassis import isolation, lifecycle, logs
from chassis.lifecycle import GRACE_S, Background, Opening, Stopping, Watch
from chassis.readiness import Check, Readiness, database_answers
from chassis.settings import ProcessSettings
from chassis.status_server import StatusServer, in_threads

S = TypeVar("S", bound=ProcessSettings)
R = TypeVar("R", bound="Room")
log = logs.get()


class Room(Protocol):
    """What the roles need of a service's room."""

    @property
    def database(self) -> Any: ...


def run_part(
    settings_class: type[S],
    environ: Mapping[str, str],
    *,
    service: str,
    role: str,
    build_room: Callable[[S], R],
    prepare: Callable[[R], None],
    open_part: Callable[[R, S], tuple[Background, dict[str, Check]]],
) -> int:
    """A process of one part that needs the database and nothing of eventlet; 0 after a clean stop."""
    isolation.forbid_eventlet()
    settings = lifecycle.begin(settings_class, environ, service, role)
    stopping = Stopping()
    stopping.listen()
    parts: list[Background] = []
    room_of = once(build_room, settings)

    def open_all() -> dict[str, Check]:
        room = room_of()
        prepare(room)
        part, checks = open_part(room, settings)
        parts.append(part)
        lifecycle.keep_running(part, stopping)
        return {"database": lambda: database_answers(room.database), **checks}

    return run_behind_status(settings, stopping, open_all, lambda: _stop_all(parts))


def run_behind_status(
    settings: ProcessSettings,
    stopping: Stopping,
    open_all: Callable[[], dict[str, Check]],
    close: Callable[[], Any],
) -> int:
    """Opens in the background, tells how it stands over HTTP, and closes when asked; 0 after a clean stop."""
    checks: dict[str, Check] = {}

    def steps() -> None:
        checks.update(open_all())
        log.info("ready", http_port=status.port)

    opening = Opening(stopping, steps)
    readiness = while_opening(opening, checks)
    with lifecycle.listening(settings.http_address):
        status = StatusServer(settings.http_address, readiness)
    status.start()
    log.info("status open", http_port=status.port)
    opening.start()
    Watch(readiness, stopping).start()
    stopping.wait()
    log.info("stopping", timeout_s=GRACE_S)
    readiness.stop()
    in_threads([("close", close)], GRACE_S + 1)
    status.stop()
    return lifecycle.end(stopping)


def while_opening(opening: Opening, checks: Mapping[str, Check] | None = None) -> Readiness:
    """What is missing while the process opens, then what the checks say."""
    return Readiness(lambda: {opening.missing(): opening.check} if opening.missing() else checks or {})


def once(build_room: Callable[[S], R], settings: S) -> Callable[[], R]:
    """The room is built once, however often its store is not ready: each room has clients of its own."""
    built: list[R] = []

    def room() -> R:
        if not built:
            built.append(build_room(settings))
        return built[0]

    return room


def _stop_all(parts: Sequence[Background]) -> None:
    for part in parts:
        part.stop()
