"""HL7 v2 messages of St Brigid's emergency room, plainly fictional."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from services.intake import taxonomy
from services.intake.hl7v2 import message, reading, times
from services.intake.hl7v2.reading import Reading
from services.intake.hl7v2.senders import Sender

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
SOURCE = "er-st-brigid"
SENDER = Sender(SOURCE, times.zone("America/New_York"))
SOURCES = ("STBRIGID=er-st-brigid@America/New_York", "HARBOR=er-harbor")
RF1 = "RF1|P^Pending^HL70283|S^STAT^HL70280|PEER||E|PEER-881^BRIGIDADT|20261121"
PRD = "PRD|RP^Referring Provider^HL70286|OKONKWO^ADA^^^^RN|12 Quay Rd^^Albany^NY^12208||"
PRD += "^WPN^PH^desk@st-brigid.example^^518^5550100"
PID = "PID|1||MRN-70077^^^BRIGID&2.999.1&ISO^MR~123-45-6789^^^USA^SS||QUILLFEATHER^WREN^J^^^^L~FEATHER^BIRDIE^^^^^N"
PID += "||19880401|F||2054-5^Black^HL70005|1 Elm St^^Albany^NY^12208||^PRN^PH^^1^518^5550177"
PID += "~^NET^Internet^wren@mail.example||es^Spanish^HL70296||CAT^Catholic^HL70006|ACC-9"


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment with these fields, counted as HL7 counts."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


PV1_FIELDS = {
    1: "1",
    2: "E",
    3: "ED^12^A^STBRIGID",
    19: "V-1^^^BRIGID&2.999.2&ISO^VN",
    44: "20261121164000",
}
PV1 = segment("PV1", PV1_FIELDS)
DG1 = "DG1|1||T40.1X1A^Poisoning by heroin^I10|||F"
CON = (
    "CON|1|001^Authorization to disclose^HL70496|FORM-7|C-55||||||W|A||20261121165500|20261121165500|20270221"
)
NTE = "NTE|1|P|Likes to be called Wren."


def msh(
    event: str = "REF^I12^REF_I12",
    control_id: str = "MSG1",
    *,
    version: str = "2.5.1",
    facility: str = "STBRIGID",
    charset: str = "",
    more: str = "",
    processing_id: str = "P",
) -> str:
    """MSH of the emergency room."""
    tail = f"||||||{charset}" if charset else more
    sent = f"MSH|^~\\&|BRIGIDADT|{facility}|KINDRED|HUB|20261121165900-0500"
    return f"{sent}||{event}|{control_id}|{processing_id}|{version}{tail}"


def joined(segments: Iterable[str], end: str = "\r", codec: str = "utf-8") -> bytes:
    """The message's bytes."""
    return "".join(f"{segment}{end}" for segment in segments if segment).encode(codec)


def a_referral(*more: str, control_id: str = "MSG1", con: str = CON, **replaced: str) -> bytes:
    """REF^I12 of an overdose survivor with a signed consent; segments replaced by name, `more` appended."""
    segments = {"msh": msh(control_id=control_id), "rf1": RF1, "prd": PRD, "pid": PID, "dg1": DG1, "pv1": PV1}
    return joined([*(segments | replaced).values(), con, NTE, *more])


def about(event: str, *segments: str, control_id: str = "MSG2", **more: str) -> bytes:
    """A message of another event."""
    return joined([msh(event, control_id, **more), *segments])


def read(raw: bytes, now: datetime = NOW) -> Reading:
    """What intake reads in a message."""
    return reading.read(message.parse(raw), SENDER, taxonomy.load(), now)


def fields(answer: bytes, name: str, number: int = 1) -> list[str]:
    """The fields of a segment of an answer, counted as HL7 counts: MSA-1 is [1]."""
    found = [line for line in answer.decode().split("\r") if line.startswith(name)]
    parts = found[number - 1].split("|") if len(found) >= number else []
    return ["MSH", "|", *parts[1:]] if name == "MSH" and parts else parts
