"""The opaque token of the next page: where the last one ended, and for which criteria."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.listing import Criteria, Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def token_of(position: Position | None, criteria: Criteria) -> str:
    """The token of the page behind the position; empty where there is none."""
    if position is None:
        return ""
    told = [(position.submitted_at - _EPOCH) // _MILLISECOND, position.referral_id, _digest(criteria)]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def position_of(token: str, criteria: Criteria) -> Position | None:
    """Where the page of the token begins; None for the first one.

    Raises Refusal INVALID page-token-unreadable, or page-token-of-another-search where the criteria are others.
    """
    if not token:
        return None
    try:
        told = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        millis, referral_id, digest = told
        position = Position(_EPOCH + int(millis) * _MILLISECOND, str(referral_id))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _refused("page-token-unreadable", "This is no token of ours.") from None
    if digest != _digest(criteria):
        raise _refused("page-token-of-another-search", "The token belongs to other criteria.")
    return position


def _digest(criteria: Criteria) -> str:
    said = (criteria.status, criteria.urgency, criteria.submitted_from, criteria.submitted_before)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


def _refused(code: str, message: str) -> Refusal:
    return Refusal(code, Kind.INVALID, message, faults=[Fault("page_token", code, message)])
