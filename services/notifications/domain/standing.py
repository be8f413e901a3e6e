"""What is known of one address, whoever it belongs to: taught by far sides and by who answers there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Standing(StrEnum):
    """With nothing known the address is tried; verified: something arrived there, or somebody answered from there."""

    VERIFIED = "verified"
    BOUNCED = "bounced"
    OPTED_OUT = "opted-out"
    WRONG_NUMBER = "wrong-number"
    DISABLED = "disabled"


# An address of which one of these is known is left alone.
CLOSED: Final = frozenset({Standing.BOUNCED, Standing.OPTED_OUT, Standing.WRONG_NUMBER, Standing.DISABLED})
