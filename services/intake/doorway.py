"""What every door of intake asks first: who may do this, for which organization, and that a refusal is audited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import Caller, require
from services.intake import handlers
from services.intake.bootstrap import Room

SUBMITTERS = ("nurse", "clinician", "coordinator", "system")
READERS = ("nurse", "clinician", "coordinator", "system")
PURPOSES = ("TREAT", "ETREAT", "COC", "CAREMGT", "HOPERAT")
_REJECTIONS = frozenset({Kind.INVALID, Kind.CONFLICT})


def of_an_organization(caller: Caller, *role_names: str, purposes: tuple[str, ...] = ()) -> Caller:
    """The caller, who may do this for the organization their token names; raises Refusal FORBIDDEN."""
    require(caller, *role_names, purposes=purposes)
    if not caller.organization_id:
        raise Refusal("organization-missing", Kind.FORBIDDEN, "The token names no organization.")
    return caller


@contextmanager
def rejections_audited(room: Room, caller: Caller, door: str) -> Iterator[None]:
    """Whoever is told that a submission was turned away is told so after the audit trail was."""
    try:
        yield
    except Refusal as refusal:
        if refusal.kind in _REJECTIONS:
            handlers.reject(room, caller, door, refusal, telemetry.current_cause())
        raise
