"""What the guides say of each door's limits is what the settings and the code say."""

from __future__ import annotations

import re
from pathlib import Path

from chassis import settings
from services.intake.fhir import limited
from services.intake.hl7v2 import message
from services.intake.settings import Settings

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "connect-your-hospital.md").read_text()
PAGE = (ROOT / "services" / "intake" / "README.md").read_text()
DEFAULTS = settings.read(
    Settings,
    {
        "KINDRED_MONGO_URI": "mongodb://x",
        "KINDRED_MONGO_DATABASE": "x",
        "KINDRED_AMQP_URI": "amqp://x",
        "KINDRED_KEYS_DIR": "/x",
    },
)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_guide_has_every_limit_of_the_fhir_door():
    """The table for hospitals and the CapabilityStatement's source have the same rows."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ([\d,]+) \|", GUIDE, re.MULTILINE)
    assert {name: number(most) for name, most in rows} == limited.most_of(DEFAULTS)


def test_the_page_of_intake_has_every_limit_of_the_mllp_door():
    """Each setting of the listener stands there with its default."""
    rows = dict(re.findall(r"^\| `KINDRED_MLLP_(\w+)` \| ([\d,]+) \|", PAGE, re.MULTILINE))
    limits = ("MESSAGE_BYTES", "WAITING_BYTES", "CONNECTIONS", "PER_ADDRESS", "IDLE_S", "MESSAGE_S")
    assert {name: number(rows[name]) for name in limits} == {
        name: getattr(DEFAULTS, f"mllp_{name.lower()}") for name in limits
    }


def test_the_guide_has_the_limits_of_one_hl7_message():
    """Bytes, segments and repetitions as the reader counts them."""
    told = [
        number(one)
        for one in re.findall(r"at most ([\d,]+) (?:bytes|segments)|and ([\d,]+) repetitions", GUIDE)
        for one in one
        if one
    ]
    assert told == [DEFAULTS.mllp_message_bytes, message._MOST_SEGMENTS, message._MOST_REPETITIONS]
