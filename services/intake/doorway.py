"""What every door of intake asks first: who may do this, for which organization, and that a refusal is audited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis import telemetry
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, require, require_fresh
from services.intake import handlers
from services.intake.bootstrap import Room

SUBMITTERS = ("nurse", "clinician", "coordinator", "system")
READERS = ("nurse", "clinician", "coordinator", "system")
PURPOSES = ("TREAT", "ETREAT", "COC", "CAREMGT", "HOPERAT")
# Who may break the glass, and why: codes, because words would hold PHI.  It overrides a policy and never a consent.
BREAKERS = ("nurse", "clinician")
BREAKING = "BTG"
WHY_BROKEN = "x-break-glass-reason"
REASONS_TO_BREAK = ("care-now", "danger-to-peer", "danger-to-others", "usual-way-fails")
_REJECTIONS = frozenset({Kind.INVALID, Kind.CONFLICT})


def of_an_organization(caller: Caller, *role_names: str, purposes: tuple[str, ...] = ()) -> Caller:
    """The caller, who may do this for the organization their token names; raises Refusal FORBIDDEN."""
    require(caller, *role_names, purposes=purposes)
    if not caller.organization_id:
        raise Refusal("organization-missing", Kind.FORBIDDEN, "The token names no organization.")
    return caller


def a_reader(room: Room, caller: Caller, why_broken: str = "") -> Caller:
    """The caller, who may read one record of their organization, with purpose BTG only where they say why.

    Raises Refusal FORBIDDEN; `justification-missing` where the reason is none of REASONS_TO_BREAK, `step-up-needed`
    where who breaks the glass has not proved a moment ago who they are.
    """
    if caller.purpose_of_use != BREAKING:
        return of_an_organization(caller, *READERS, purposes=PURPOSES)
    of_an_organization(caller, *BREAKERS)
    with_a_reason(why_broken)
    require_fresh(caller, *room.settings.step_up)
    return caller


def with_a_reason(why_broken: str, field: str = WHY_BROKEN) -> str:
    """The reason; raises Refusal FORBIDDEN justification-missing where it is none of REASONS_TO_BREAK."""
    if why_broken not in REASONS_TO_BREAK:
        message = f"Who breaks the glass says why: {', '.join(REASONS_TO_BREAK)}."
        faults = [Fault(field, "justification-missing", message)]
        raise Refusal("justification-missing", Kind.FORBIDDEN, message, faults=faults)
    return why_broken


def a_leader(room: Room, caller: Caller, why_broken: str) -> None:
    """Who leads a programme and breaks the glass says why, and proved a moment ago who they are; raises FORBIDDEN."""
    if caller.purpose_of_use == BREAKING:
        with_a_reason(why_broken)
        require_fresh(caller, *room.settings.step_up)


@contextmanager
def rejections_audited(room: Room, caller: Caller, door: str) -> Iterator[None]:
    """Whoever is told that a submission was turned away is told so after the audit trail was."""
    try:
        yield
    except Refusal as refusal:
        if refusal.kind in _REJECTIONS:
            handlers.reject(room, caller, door, refusal, telemetry.current_cause())
        raise
