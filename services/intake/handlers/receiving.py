"""What notifications says of its notices is kept where the referral's own unit reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from services.intake.domain.receipts import Word, is_kept

if TYPE_CHECKING:
    from services.intake.bootstrap import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A word about a notice about a referral."""

    referral_id: str
    notice_id: str
    intent: str
    word: Word
    cause: Cause


def keep_receipts(room: Room, told: Sequence[Receipt]) -> None:
    """Each unit sees what became of the notices it cares about; others, also of no referral, are passed over.

    Raises ReferralUnknown.
    """
    room.receipts.keep([one for one in told if is_kept(one.intent, one.word.step)])
