"""How a pair of pseudonyms looks in its document; nothing in it is about a person's identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.intake.domain.pairs import Pair, PairState

Document = dict[str, Any]


def body_of(pair: Pair) -> Document:
    """Everything of a pair but its id, its reviewers and its place in the list."""
    return {
        "peer_ids": list(pair.peer_ids),
        "state": pair.state.value,
        "found_at": pair.found_at,
        "score": pair.score,
        "levels": dict(pair.levels),
        "caveats": list(pair.caveats),
        "surviving_id": pair.surviving_id,
        "merged_id": pair.merged_id,
        "reason_code": pair.reason_code,
        "decided_by": pair.decided_by,
        "decided_at": pair.decided_at,
        "doubled": [list(two) for two in pair.doubled],
    }


def pair_of(document: Mapping[str, Any]) -> Pair:
    """The pair in a document."""
    first, second = document["peer_ids"]
    return Pair(
        pair_id=document["_id"],
        peer_ids=(first, second),
        state=PairState(document["state"]),
        found_at=document["found_at"],
        score=document["score"],
        levels=document["levels"],
        caveats=tuple(document["caveats"]),
        surviving_id=document["surviving_id"],
        merged_id=document["merged_id"],
        reason_code=document["reason_code"],
        decided_by=document["decided_by"],
        decided_at=document["decided_at"],
        doubled=tuple((one, other) for one, other in document["doubled"]),
    )
