"""Which changes of Tasks a Subscription asks for: the forms of `Subscription.criteria` that can be answered here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.referral import Referral
from services.intake.fhir import task

_PLACE = "Subscription.criteria"
_PRIORITIES = {"immediate": "stat", "urgent": "urgent", "routine": "routine"}
# http://hl7.org/fhir/task-status
_STATUSES = frozenset(
    {
        *("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress"),
        *("on-hold", "failed", "completed", "entered-in-error"),
    }
)
_LONGEST = 1_000
PARAMETERS = ("_id", "status", "business-status", "priority", "patient")


@dataclass(frozen=True, slots=True)
class Criteria:
    """Task?name=a,b&...: every parameter must fit, one of its values is enough."""

    wanted: Mapping[str, frozenset[str]]

    def fits(self, referral: Referral) -> bool:
        """True where the referral's Task is one of those asked for, as it is now."""
        status, business = task.STATUS[referral.state]
        said = {
            "_id": {referral.referral_id},
            "status": {status},
            "business-status": {business, referral.state.value},
            "priority": {_PRIORITIES[referral.urgency]},
            "patient": {referral.peer_id, f"Patient/{referral.peer_id}"},
        }
        return all(not values.isdisjoint(said[name]) for name, values in self.wanted.items())


def parse(text: str) -> Criteria:
    """The criteria; raises Refusal INVALID criteria-unsupported that says which forms are known."""
    kind, _, query = text.partition("?")
    if kind != "Task" or len(text) > _LONGEST:
        raise _unsupported("Only Task?... can be subscribed to.")
    wanted: dict[str, frozenset[str]] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=10)
    except ValueError:
        raise _unsupported("The criteria cannot be read.") from None
    for name, values in pairs:
        if name not in PARAMETERS or name in wanted:
            raise _unsupported(
                f"Only {', '.join(PARAMETERS)} are known here, each once and without a modifier."
            )
        wanted[name] = frozenset(filter(None, values.split(",")))
        if not wanted[name] or (name == "status" and not wanted[name] <= _STATUSES):
            raise _unsupported(f"{name} has a value that no Task can have.")
    return Criteria(wanted)


def _unsupported(message: str) -> Refusal:
    return Refusal(
        "criteria-unsupported", Kind.INVALID, message, faults=[Fault(_PLACE, "criteria-unsupported", message)]
    )
