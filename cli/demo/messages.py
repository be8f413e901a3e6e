"""HL7 v2 messages as an ER's interface engine sends them, for the people of the demonstration."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cli.demo.bundles import contact, phone, record_number
from cli.demo.people import ICD10, Story

ZONE = ZoneInfo("America/New_York")
ANSWER_S = 15.0
_BEGIN, _END = b"\x0b", b"\x1c\r"
_PRIORITIES = {"stat": "S", "asap": "A", "urgent": "U", "routine": "R"}
_LANGUAGES = {"en": "en^English^HL70296", "es": "es^Spanish^HL70296"}


def referral(story: Story, run: str, now: datetime, event: str = "I12", *, has_consent: bool = True) -> bytes:
    """REF with this event; I12 submits, I13 corrects, I14 takes back."""
    names = [_header(story, run, now, event), _order(story, run), _referrer(story), _person(story, run)]
    codes = [code for system, code in story.codes if system == ICD10]
    names += [f"DG1|{at}||{code}^^I10|||F" for at, code in enumerate(codes, start=1)]
    names += [_visit(story, run, now), *([_consent(now)] if has_consent else []), *_wishes(story)]
    return "".join(f"{segment}\r" for segment in names).encode()


def send(address: str, message: bytes) -> dict[str, str]:
    """The acknowledgement over MLLP: `code` (MSA-1), `text`, `fault` (ERR) and the whole `answer`."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_S) as line:
        line.sendall(_BEGIN + message + _END)
        answer = b""
        while not answer.endswith(_END):
            chunk = line.recv(65_536)
            if not chunk:
                raise ConnectionError("the listener closed without an answer")
            answer += chunk
    segments = [segment.split("|") for segment in answer[1:-2].decode().split("\r") if segment]
    by_name = {segment[0]: segment for segment in segments}
    msa = by_name.get("MSA", ["MSA", ""])
    return {"code": msa[1], "answer": answer[1:-2].decode()}


def facility(story: Story) -> str:
    """MSH-4: the hospital as its engine calls itself."""
    return story.hospital.source_id.removeprefix("er-").replace("-", "").upper()


def _header(story: Story, run: str, now: datetime, event: str) -> str:
    control_id = f"{run}-{story.key}-{event}"
    made_at = now.astimezone(ZONE).strftime("%Y%m%d%H%M%S%z")
    return (
        f"MSH|^~\\&|ENGINE|{facility(story)}|KINDRED|HUB|{made_at}||REF^{event}^REF_I12|{control_id}|P|2.5.1"
    )


def _order(story: Story, run: str) -> str:
    return f"RF1||{_PRIORITIES[story.priority]}|PEER||E|{run}-{story.key}^ENGINE"


def _referrer(story: Story) -> str:
    return f"PRD|RP|FICTIONBY^ADA^^^^RN|||^WPN^Internet^{contact(story)}"


def _person(story: Story, run: str) -> str:
    born = story.birth_date.replace("-", "")
    number = phone(story).removeprefix("+1")
    calls = f"^PRN^CP^^1^{number[:3]}^{number[3:]}"
    language = _LANGUAGES[story.languages[0]]
    identifier = f"{record_number(story, run)}^^^DEMO&2.999.1.1&ISO^MR"
    return f"PID|1||{identifier}||{story.family}^{story.given}^^^^^L||{born}||||||{calls}||{language}"


def _visit(story: Story, run: str, now: datetime) -> str:
    arrived = (now - timedelta(minutes=25)).astimezone(ZONE).strftime("%Y%m%d%H%M%S")
    fields = {1: "1", 2: "E", 3: "ED^7", 19: f"V-{run}-{story.key}^^^DEMO&2.999.1.2&ISO^VN", 44: arrived}
    return "|".join(["PV1", *(fields.get(number, "") for number in range(1, 45))])


def _consent(now: datetime) -> str:
    signed = (now - timedelta(minutes=8)).astimezone(ZONE).strftime("%Y%m%d%H%M%S")
    until = (now + timedelta(days=90)).astimezone(ZONE).strftime("%Y%m%d")
    return f"CON|1|001^Authorization to disclose^HL70496||||||||W|A||{signed}|{signed}|{until}"


def _wishes(story: Story) -> list[str]:
    """What v2 has no field for, in ZKD segments (docs/connect-your-hospital.md)."""
    said = [("facility-zip", story.hospital.zip), ("payer", story.payer)]
    said += [(f"preference-{strength}", code) for code, strength in story.preferences]
    said += [("lived-experience", code) for code in story.experience]
    return [f"ZKD|{at}|{topic}|{value}" for at, (topic, value) in enumerate(said, start=1)]
