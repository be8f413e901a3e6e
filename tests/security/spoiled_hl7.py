"""HL7 messages spoiled by a seed: bytes, signs, fields, segments, encodings, and whole messages cut and mixed."""

from __future__ import annotations

import random

from tests.unit.intake.hl7_builders import CON, NTE, PID, PV1, RF1, a_referral, about

_EVENTS = (
    "REF^I12^REF_I12",
    "REF^I13^REF_I12",
    "REF^I14",
    "REF^I15",
    "ADT^A03",
    "ADT^A08",
    "ADT^A40",
    "ADT^A01",
)
# So many messages are about the same forty people; then others come, as in life: merged without end, they would be one.
_OF_ONE_CROWD = 400
_ZKD = (
    "ZKD|1|preference-strong|military.veteran",
    "ZKD|2|do-not-contact|Y",
    "ZKD|3|characteristic|faith~declined",
)
_NASTY = (
    '""', "^", "~", "\\", "&", "|", "\\X0D\\", "\\.br\\", "\\XZZ\\", "\x00", "\x0b", "\x1c\r", "\r", "\n", "\r\n",
    "MSH|", "MSA|AA|", "ñ", "Ł", "\u202e", "\ufeff", "99999999999999", "-1", "20261340", "00000000", "\\E", "\\F\\",
    "' OR 1=1 --", "$where", "{$gt: ''}", "A" * 3_000, "^" * 300, "~" * 300, "|" * 300,
)  # fmt: skip
_CODECS = ("utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "cp037", "utf-8-sig", "utf-32")


def a_message(seed: int, number: int) -> bytes:
    """The message with this number of this seed; mostly wrong, sometimes right."""
    dice = random.Random(f"{seed}/{number}")
    raw = _sound(dice, number)
    for _ in range(dice.choice((0, 1, 1, 2, 3, 8))):
        raw = dice.choice(_WAYS)(dice, raw)
    return raw


def _sound(dice: random.Random, number: int) -> bytes:
    crowd = number // _OF_ONE_CROWD
    who = dice.randrange(40)
    person, letter = f"{crowd}-{who}", chr(65 + who % 26)
    pid = PID.replace("MRN-70077", f"MRN-{person}").replace("QUILLFEATHER", f"QUILL{letter}")
    pid = pid.replace("19880401", f"{1940 + crowd}0401").replace("5550177", f"555{crowd:04}")
    pv1, rf1 = PV1.replace("V-1", f"V-{person}"), RF1.replace("PEER-881", f"PEER-{person}")
    control_id = f"F{number if dice.random() < 0.9 else number // 2}"
    event = dice.choice(_EVENTS)
    more = [row for row in (NTE, *_ZKD, "ARV|1|A|LOC|PAT", "PD1||||||||||||N") if dice.random() < 0.3]
    consent = CON if dice.random() < 0.7 else ""
    if event.startswith("REF^I12"):
        return a_referral(*more, control_id=control_id, pid=pid, pv1=pv1, rf1=rf1, con=consent)
    rows = [rf1] if event.startswith("REF") else ["EVN|A03|20261121"]
    merged = [f"MRG|MRN-{crowd}-2^^^BRIGID&2.999.1&ISO^MR"] if event == "ADT^A40" else []
    return about(event, *rows, pid, *merged, pv1, consent, *more, control_id=control_id)


def _bytes(dice: random.Random, raw: bytes) -> bytes:
    spoiled = bytearray(raw)
    for _ in range(dice.randint(1, 6)):
        if spoiled:
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
    return bytes(spoiled)


def _cut(dice: random.Random, raw: bytes) -> bytes:
    first, last = sorted(dice.randrange(len(raw) + 1) for _ in range(2))
    return dice.choice((raw[:last], raw[first:], raw[:first] + raw[last:]))


def _nasty(dice: random.Random, raw: bytes) -> bytes:
    place = dice.randrange(len(raw) + 1)
    return raw[:place] + dice.choice(_NASTY).encode() + raw[place:]


def _field(dice: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r")
    row = dice.randrange(len(lines))
    fields = lines[row].split(b"|")
    fields[dice.randrange(len(fields))] = dice.choice(_NASTY).encode() if dice.random() < 0.7 else b""
    lines[row] = b"|".join(fields)
    return b"\r".join(lines)


def _segments(dice: random.Random, raw: bytes) -> bytes:
    head, *rows = raw.split(b"\r")
    dice.shuffle(rows)
    copies = rows[: dice.randrange(len(rows) + 1)] * dice.choice((0, 1, 1, 30))
    return b"\r".join([head, *copies, *rows[dice.randrange(len(rows) + 1) :]])


def _signs(dice: random.Random, raw: bytes) -> bytes:
    old, new = dice.choice(b"|^~\\&"), dice.choice(b"|^~\\&#!$%*+:;A 7\"'")
    return raw.replace(bytes([old]), bytes([new]))


def _codec(dice: random.Random, raw: bytes) -> bytes:
    return raw.decode("utf-8", "replace").encode(dice.choice(_CODECS), "replace")


def _ends(dice: random.Random, raw: bytes) -> bytes:
    return raw.replace(b"\r", dice.choice((b"\n", b"\r\n", b"\n\r", b"\r\r", b"")))


def _twice(dice: random.Random, raw: bytes) -> bytes:
    return raw + dice.choice((b"", b"\r", b"\x1c\r\x0b")) + raw


_WAYS = (_bytes, _cut, _nasty, _field, _field, _segments, _signs, _codec, _ends, _twice)
