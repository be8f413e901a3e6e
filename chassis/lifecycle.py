"""How a process of any role begins, waits for what is away, and ends in time."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

from chassis import core_files, failpoints, garbage, logs, telemetry
from chassis.broker import check_lines
from chassis.mongo import is_outside_trouble
from chassis.readiness import NotYet, Readiness
from chassis.settings import ProcessSettings, SettingsFaults, check_doors, check_sign_in, read

GRACE_S = 20.0
# Whoever has not ended this long after the grace is ended from outside of Python's control.
_PATIENCE_S = 5.0
_LONGEST_WAIT_S = 5.0
_LOOK_EVERY_S = 0.1
_WATCH_EVERY_S = 2.0
EXIT_SETTINGS = 2
EXIT_FAILED = 1
S = TypeVar("S", bound=ProcessSettings)
log = logs.get()


class Background(Protocol):
    """Something that runs beside the doors until it is stopped, such as the relay."""

    def run(self) -> None: ...
    def stop(self) -> None: ...


class Stopping:
    """Asked to stop or not; a plain flag, because a signal may arrive in any greenlet and must not switch to another."""

    def __init__(self) -> None:
        self.is_asked = False
        self.exit_code = 0

    def ask(self, exit_code: int = 0) -> None:
        """The process ends as soon as its main thread looks."""
        self.exit_code = self.exit_code or exit_code
        self.is_asked = True

    def wait(self, seconds: float | None = None) -> bool:
        """Until asked, or for so long; True where asked."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.is_asked and (until is None or time.monotonic() < until):
            time.sleep(_LOOK_EVERY_S)
        return self.is_asked

    def listen(self) -> None:
        """SIGTERM and SIGINT ask; a second one, or no end within grace and patience, ends the process at once."""
        if not _is_main_thread():
            return
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_alarm)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.is_asked:
            os._exit(128 + number)
        self.is_asked = True
        signal.setitimer(signal.ITIMER_REAL, GRACE_S + _PATIENCE_S)

    def _on_alarm(self, _: int, __: FrameType | None) -> None:
        os._exit(self.exit_code)


def _is_main_thread() -> bool:
    """Asks the system: in a patched process `threading` sees greenlets, and none of them is its main thread."""
    return threading.get_native_id() == os.getpid()


def begin(settings_class: type[S], environ: Mapping[str, str], service: str, role: str) -> S:
    """Settings are read, logs and telemetry run; exits with 2 where a setting is wrong, naming all of them."""
    try:
        settings = read(settings_class, environ)
        check_lines(settings)
        if role == "api":
            check_doors(settings)
            check_sign_in(settings)
        failpoints.enable(settings.failpoints)
    except SettingsFaults as faults:
        sys.stderr.write(f"kindred {service} {role} cannot start:\n{faults}\n")
        raise SystemExit(EXIT_SETTINGS) from None
    core_files.forbid(is_production=settings.is_production)
    logs.start(service, role, settings.log_level)
    telemetry.start(service, role, settings, ratio=min(1.0, max(0.0, settings.trace_ratio)))
    log.info("starting", pid=os.getpid())
    return settings


@contextmanager
def listening(address: str) -> Iterator[None]:
    """An address that cannot be bound is named by its port in the log before the error goes on."""
    try:
        yield
    except (OSError, RuntimeError, ValueError):
        log.critical(
            "cannot listen: the port is taken or the address is not ours", port=address.rpartition(":")[2]
        )
        raise


class Opening:
    """Runs the steps that need the database or the broker, again and again until they are there, in a thread."""

    def __init__(self, stopping: Stopping, steps: Callable[[], None]) -> None:
        self._stopping = stopping
        self._steps = steps
        self._missing = "starting"
        self._why = "starting"
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)

    def start(self) -> None:
        """The first try begins."""
        self._thread.start()

    def check(self) -> None:
        """Raises NotYet while the process waits."""
        if self._missing:
            raise NotYet(self._why)

    def missing(self) -> str:
        """What the process waits for: "database", "broker", "starting", or "" when it is open."""
        return self._missing

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_asked:
            try:
                self._steps()
            except Exception as error:
                if not is_outside_trouble(error):
                    log.critical("cannot start", exc_info=error)
                    self._stopping.ask(EXIT_FAILED)
                    return
                attempt += 1
                self._wait(error, attempt)
                continue
            garbage.look_seldom()
            if attempt:
                log.info("is back", missing=self._missing, attempt=attempt)
            self._missing = ""
            return

    def _wait(self, error: BaseException, attempt: int) -> None:
        wait_s = backoff_s(attempt)
        self._missing, self._why = part_of(error), logs.type_name(error)
        if attempt == 1 or attempt % 12 == 0:
            log.warning(
                "waiting for what is away",
                missing=self._missing,
                attempt=attempt,
                wait_s=wait_s,
                error=self._why,
            )
        self._stopping.wait(wait_s)


def backoff_s(attempt: int) -> float:
    """Seconds before try number `attempt` + 1: doubling from 0.25, at most 5, with jitter."""
    longest = min(_LONGEST_WAIT_S, 0.25 * 2 ** min(attempt - 1, 10))
    return round(random.uniform(longest / 2, longest), 3)


def part_of(error: BaseException) -> str:
    """Which part the error comes from, by the library that raised it."""
    module = type(error).__module__.partition(".")[0]
    return {"pymongo": "database", "pymongocrypt": "database", "kombu": "broker", "amqp": "broker"}.get(
        module, "outside"
    )


class Watch:
    """Looks at the readiness every 2 s and says so in the log whenever it changed."""

    def __init__(self, readiness: Readiness, stopping: Stopping) -> None:
        self._readiness = readiness
        self._stopping = stopping
        self._seen: tuple[bool, str] = (True, "")

    def start(self) -> None:
        """From here on changes are told."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        while not self._stopping.wait(_WATCH_EVERY_S):
            self._tell(self._readiness.answer()[1])

    def _tell(self, body: dict[str, Any]) -> None:
        seen = bool(body["is_ready"]), ",".join(body["missing"])
        if seen == self._seen:
            return
        self._seen = seen
        tell = log.warning if seen[1] else log.info
        tell(
            "away: still serving" if seen[1] and seen[0] else "away: waiting" if seen[1] else "all there",
            missing=seen[1],
        )


def keep_running(part: Background, stopping: Stopping) -> None:
    """Runs the part in a thread; one that breaks is a bug, is logged, and runs again."""

    def run() -> None:
        attempt = 0
        while not stopping.is_asked:
            try:
                part.run()
                return
            except Exception as error:
                attempt += 1
                log.error("background part broke", attempt=attempt, exc_info=error)
                stopping.wait(backoff_s(attempt))

    threading.Thread(target=run, name=type(part).__name__.lower(), daemon=True).start()


def end(stopping: Stopping) -> int:
    """The last lines: spans are sent, the log is flushed, and the process is gone.

    Everything of ours has stopped by now. Python's own finish would still join threads of libraries that wait on
    a frozen database or broker, so it is left out.
    """
    telemetry.stop()
    log.info("stopped", exit_code=stopping.exit_code)
    if threading.current_thread() is threading.main_thread():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stopping.exit_code)
    return stopping.exit_code
