"""How a worker says what it listens to; knows no framework, so that every host reads the same marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from chassis.envelope import Cause, Envelope

EVERYTHING = "#"
_MARK = "__kindred_ear__"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as a listener gets it. `message` is None only for `hears_all` and a type this version does not know."""

    envelope: Envelope
    message: Any  # the event's message class; Any, so that a listener names the one it hears
    cause: Cause
    redelivered: bool


class Worker(Protocol):
    """A service's door 2: `name` is the service, methods are marked with `hears`, `hears_all` or `every`."""

    name: str


@dataclass(frozen=True, slots=True)
class Listening:
    """One method and what it hears. `batch` is the most it takes at once, `wait_s` how long it waits for more."""

    method: str
    event_type: str
    batch: int
    wait_s: float

    @property
    def is_batch(self) -> bool:
        """True where the method takes a sequence."""
        return self.batch > 1


@dataclass(frozen=True, slots=True)
class Ticking:
    """One method that runs every `seconds`, never twice at a time in one process."""

    method: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ears:
    """Everything one worker class listens to."""

    by_type: dict[str, Listening]
    everything: Listening | None
    timers: tuple[Ticking, ...]

    def listening(self, event_type: str) -> Listening | None:
        """Who hears this type; None where nobody does."""
        return self.by_type.get(event_type, self.everything)

    def all(self) -> Iterator[Listening]:
        """Every listening once."""
        yield from self.by_type.values()
        if self.everything is not None:
            yield self.everything

    def binding_keys(self) -> list[str]:
        """The routing keys the service's inbox is bound with."""
        return [EVERYTHING] if self.everything is not None else sorted(self.by_type)


def hears(event_type: str, *, batch: int = 1, wait_s: float = 0.0) -> Callable[[F], F]:
    """The method hears one event type: one `Heard`, or with `batch` > 1 a sequence of them.

    A batch method runs one batch at a time in a process; what arrives meanwhile makes the next batch.
    """
    return _mark(lambda method: Listening(method, event_type, batch, wait_s))


def hears_all(*, batch: int = 2048, wait_s: float = 0.2) -> Callable[[F], F]:
    """The method hears every event there is, also of unknown type; all types share its batches."""
    return _mark(lambda method: Listening(method, EVERYTHING, batch, wait_s))


def every(seconds: float) -> Callable[[F], F]:
    """The method runs every `seconds`; the first time right after the start."""
    return _mark(lambda method: Ticking(method, seconds))


def ears_of(worker_class: type) -> Ears:
    """What the marks on a worker class add up to; raises ValueError where two methods hear the same."""
    by_type: dict[str, Listening] = {}
    everything: Listening | None = None
    timers: list[Ticking] = []
    for name in dir(worker_class):
        for mark in getattr(getattr(worker_class, name), _MARK, ()):
            ear = mark(name)
            if isinstance(ear, Ticking):
                timers.append(ear)
            elif ear.event_type == EVERYTHING:
                if everything is not None:
                    raise ValueError(f"{worker_class.__name__} hears everything twice")
                everything = ear
            elif ear.event_type in by_type:
                raise ValueError(f"{worker_class.__name__} hears {ear.event_type} twice")
            else:
                by_type[ear.event_type] = ear
    return Ears(by_type, everything, tuple(timers))


def _mark(make: Callable[[str], Listening | Ticking]) -> Callable[[F], F]:
    def decorate(method: F) -> F:
        setattr(method, _MARK, (*getattr(method, _MARK, ()), make))
        return method

    return decorate
