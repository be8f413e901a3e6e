"""Pages of a search by who somebody is, from which what is behind glass is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.identity import Caller
from services.intake.domain.wanted import After, Wanted
from services.intake.handlers import searching
from services.intake.store.finding import Found

NURSE = Caller("nurse-ada", "nurse", "er-st-brigid", "TREAT")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class _Finding:
    """Referrals "0", "1", ... in this order, as the store pages through them."""

    def __init__(self, count: int) -> None:
        self._ids = [str(number) for number in range(count)]

    def page(self, source_id: str, wanted: Wanted) -> Found:
        start = int(wanted.after.referral_id) + 1 if wanted.after else 0
        here = self._ids[start : start + wanted.limit]
        more = start + wanted.limit < len(self._ids)
        rows: Any = tuple((SimpleNamespace(referral_id=one), one) for one in here)
        return Found(rows, None, After(NOW, here[-1]) if more else None)


@given(hidden=st.lists(st.booleans(), max_size=12), limit=st.integers(1, 5))
def test_pages_are_full_never_longer_than_asked_and_show_all_the_rest_once(hidden: list[bool], limit: int):
    """Whatever is behind glass, each page but the last is as long as asked, and the pages together are the rest."""
    room: Any = SimpleNamespace(finding=_Finding(len(hidden)))
    wanted, seen = Wanted(limit=limit, peer_ids=frozenset({"peer_a"})), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "is_behind_glass", lambda _, kept: hidden[int(kept)])
        while True:
            found = searching._of_a_person(room, NURSE, wanted)
            seen.append([kept for _, kept in found.rows])
            if found.after is None:
                break
            wanted = replace(wanted, after=found.after)
    assert all(len(page) == limit for page in seen[:-1]) and len(seen[-1]) <= limit
    assert [one for page in seen for one in page] == [str(at) for at, one in enumerate(hidden) if not one]
