"""The roster's protos on one side, the domain on the other; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault, Kind, Refusal
from kindred.matching.v1 import matching_pb2
from kindred.matching.v1 import roster_pb2 as pb
from services.matching import wording
from services.matching.domain import rules, why
from services.matching.domain.rank import Candidate
from services.matching.handlers import Difference, Outlook, Place

_MOST_DROPPED = 100
_TEXTS: Mapping[str, str] = {
    why.KEPT_APART: "Something keeps the two apart that somebody may keep to themselves.",
    rules.ASKED: "They were asked already.",
    rules.PREFERENCE: "They do not share what must be shared, or share what is to be avoided.",
    rules.LANGUAGE: "They have no language in common, and no interpreter was agreed.",
    rules.CERTIFICATION: "No certification of theirs is valid here now for this payer and age.",
    rules.SHIFT: "They are not on shift and not on call.",
    rules.REST: "They rest.",
    rules.REACH: "They cannot be there in time, nor ring or call by video.",
    rules.CAPACITY: "They carry as much as they can.",
}


def rest_until(request: pb.TakeRestRequest) -> datetime:
    """When the rest ends; raises Refusal INVALID."""
    if not request.HasField("until"):
        fault = Fault("until", "missing", "Say until when.")
        raise Refusal("request-incomplete", Kind.INVALID, "The request is incomplete.", faults=[fault])
    try:
        until = request.until.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        fault = Fault("until", "not-a-time", "A time of the calendar.")
        raise Refusal(
            "request-incomplete", Kind.INVALID, "The request is incomplete.", faults=[fault]
        ) from None
    return until.replace(microsecond=until.microsecond // 1000 * 1000)


def difference(request: pb.WhatIfRequest) -> Difference:
    """What a coordinator would like to see changed."""
    return Difference(
        dropped_codes=frozenset(request.dropped_codes[:_MOST_DROPPED]),
        bedside_limit_minutes=request.bedside_limit_minutes,
        added_modalities=frozenset(request.added_modalities),
        is_interpreter_agreed=request.is_interpreter_agreed,
    )


def place(found: Place) -> pb.WhyNotResponse:
    """Where a specialist stands, or why they do not."""
    return pb.WhyNotResponse(
        rules=found.rules,
        texts=[_TEXTS[rule] for rule in found.rules],
        place=found.place,
        eligible=found.eligible,
        explanation=_explanation(found.candidate) if found.candidate else None,
        offer_state=found.offer_state,
        wave=found.wave,
    )


def outlook(found: Outlook) -> pb.Outlook:
    """What the roster would give."""
    return pb.Outlook(
        eligible=found.eligible,
        exclusions=[matching_pb2.Exclusion(rule=r, specialists=n) for r, n in found.exclusions.items()],
        best=[
            pb.RankedSpecialist(place=number, specialist_id=one.specialist_id, explanation=_explanation(one))
            for number, one in found.best
        ],
    )


def policy(document: Mapping[str, Any]) -> pb.GetPolicyResponse:
    """The policy file with its history."""
    changes = [
        pb.PolicyChange(version=one["version"], changed_on=one["on"], changed_by=one["by"], reason=one["why"])
        for one in document["changes"]
    ]
    return pb.GetPolicyResponse(
        version=document["version"], document=json.dumps(document, indent=1), changes=changes
    )


def stamp(moment: datetime | None) -> Timestamp | None:
    """A time, None for none."""
    if moment is None:
        return None
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def _explanation(candidate: Candidate) -> matching_pb2.Explanation:
    terms = [
        matching_pb2.Term(code=t.code, points_milli=t.points_milli, text=wording.text(t, "en"))
        for t in candidate.terms
    ]
    return matching_pb2.Explanation(score_milli=candidate.score_milli, terms=terms)
