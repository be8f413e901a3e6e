"""What a host does by the clock: the worker's own timers, events that wait for another try, gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from chassis import logs, metrics, out_of_memory, telemetry
from chassis.mongo import is_outside_trouble
from chassis.receiving import Receiver, Sitting

RETRY_EVERY_S = 0.5
MEASURE_EVERY_S = 10.0
RETRIES = "bus_retries"
GAUGES = "bus_gauges"
Tick = Callable[[], None]
log = logs.get()


class Timers:
    """Each timer as (name, seconds, tick); a tick never raises, and its host never overlaps it with itself."""

    def __init__(self, receiver: Receiver, sitting: Sitting) -> None:
        self._receiver = receiver
        self._sitting = sitting
        self._is_prepared = False

    def all(self) -> Iterator[tuple[str, float, Tick]]:
        """Every timer once."""
        for ticking in self._receiver.ears.timers:
            yield (
                ticking.method,
                ticking.seconds,
                partial(self._tick, ticking.method, self._traced(ticking.method)),
            )
        yield RETRIES, RETRY_EVERY_S, partial(self._tick, RETRIES, self._retry)
        yield GAUGES, MEASURE_EVERY_S, partial(self._tick, GAUGES, self._receiver.measure)

    def _traced(self, name: str) -> Tick:
        method = getattr(self._receiver.worker, name)

        def tick() -> None:
            with telemetry.continue_trace(""), telemetry.correlated(""), telemetry.span(f"every {name}"):
                method()

        return tick

    def _retry(self) -> None:
        if not self._is_prepared:
            self._receiver.prepare()
            self._is_prepared = True
        self._receiver.retry_due(self._sitting)

    def _tick(self, name: str, method: Tick) -> None:
        service = self._receiver.service
        try:
            method()
        except Exception as exc:  # noqa: BLE001  a timer comes again; its errors are counted
            out_of_memory.end_if_meant(exc)
            metrics.TIMER_ERRORS.labels(service, name).inc()
            level = log.warning if is_outside_trouble(exc) else log.error
            level("timer.failed", service=service, method=name, **logs.described(exc))
