"""What a door answers when a method raises: the refusal itself, "try again", or an error id and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

from chassis import logs, metrics, out_of_memory
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.ids import new_id
from chassis.mongo import is_outside_trouble

# (caller or None, method, code) -> None: writes an AccessDenied event.
OnDenied = Callable[[Caller | None, str, str], None]
# Turned away at the door, before the service could look: its audit is told, also of a body that was too large.
_DENIED = frozenset({Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_LARGE})
log = logs.get()


def refusal_for(error: BaseException) -> Refusal | None:
    """The refusal that the error means to the caller, or None where it is a bug; a lack of memory ends the process."""
    out_of_memory.end_if_meant(error)
    if isinstance(error, Refusal):
        return error
    if is_outside_trouble(error):
        return Refusal(
            "store-unavailable",
            Kind.UNAVAILABLE,
            "A part this service needs does not answer. Nothing was promised; try again.",
            retry_after_s=random.randint(1, 5),  # spread, so that not everybody returns at once
        )
    return None


def note_refusal(
    refusal: Refusal, error: BaseException, caller: Caller | None, method: str, on_denied: OnDenied
) -> None:
    """The refusal is counted; a denial is handed to the service's audit, whose own failure never lets anybody in."""
    metrics.REFUSALS.labels(refusal.kind.value, refusal.code).inc()
    if error is not refusal:
        log.warning("trouble outside", method=_logged(method), exc_info=error)
    if refusal.kind not in _DENIED or refusal.is_on_record:
        return
    try:
        on_denied(caller, method, refusal.code)
    except Exception as trouble:
        log.error("denial not audited", method=_logged(method), code=refusal.code, exc_info=trouble)


def note_bug(error: BaseException, door: str, method: str) -> str:
    """The error is logged by type and line and counted; returns the id that the caller is given instead of a text."""
    error_id = new_id("err")
    metrics.BUGS.labels(door).inc()
    log.error("bug", error_id=error_id, method=_logged(method), exc_info=error)
    return error_id


def _logged(method: str) -> str:
    return method.replace(" ", ":")  # "POST /fhir" would not pass the logs' allow-list
