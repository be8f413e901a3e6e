"""HL7 v2 files judged: each message goes through the real handling, on a real database, and its answer is read."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chassis import mongo
from chassis.clock import TurnedClock
from chassis.errors import Refusal
from cli.local import keys
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.hl7v2 import handling, message, stream
from services.intake.hl7v2.events import ACTS
from services.intake.hl7v2.message import Message
from services.intake.settings import Settings
from tests.conformance.judging.fhir_files import AS_OF
from tests.conformance.judging.rules import rule_of
from tests.conformance.judging.verdict import Reason, Verdict

_ACCEPTED = "AA"
_DOES = {
    "I12": "a new referral",
    "I13": "changes a referral",
    "I14": "cancels a referral",
    "I15": "asks how a referral stands",
    "A03": "the peer leaves",
    "A08": "new facts about the person",
}


@contextmanager
def a_room(mongo_uri: str) -> Iterator[Room]:
    """Intake on a database of its own, forgotten afterwards; it is the evening of AS_OF there."""
    name = f"kindred_conformance_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            mongo_uri=mongo_uri,
            mongo_database=name,
            amqp_uri="amqp://nowhere",
            keys_dir=keys.create(Path(folder) / "keys"),
            hl7_sources=("*=er",),
            hl7_always_acknowledge=True,
        )
        room = build_room(settings, TurnedClock(AS_OF))
        prepare(room)
        try:
            yield room
        finally:
            client = mongo.connect(mongo_uri)
            client.drop_database(name)
            client.close()


def judge_all(folder: Path, mongo_uri: str = "") -> Iterator[Verdict]:
    """Every file under `hl7v2`, in order of its name; each file comes from a hospital of its own."""
    paths = sorted(path for path in (folder / "hl7v2").rglob("*") if path.is_file())
    with a_room(mongo_uri or os.environ["MONGO_URI"]) as room:
        for number, path in enumerate(paths):
            own = replace(room, settings=replace(room.settings, hl7_sources=(f"*=er-{number}",)))
            yield from judge(own, path, path.relative_to(folder).as_posix())


def judge(room: Room, path: Path, name: str) -> Iterator[Verdict]:
    """Each message of the file, in its order."""
    found = stream.split(path.read_bytes())
    if not found:
        yield Verdict(name, "no message", "not sent", about="empty")
    for number, raw in enumerate(found, 1):
        yield _judged(room, raw, name if len(found) == 1 else f"{name}#{number}")


def _judged(room: Room, raw: bytes, name: str) -> Verdict:
    kind, event = _type_of(raw)
    standard = "parsed" if _is_readable(raw) else "unreadable"
    answer = message.parse(handling.handle(room, raw))
    reasons, code = _reasons(answer), answer.text("MSA", 1)
    does = (
        _DOES.get(event, "two records are one")
        if (kind, event) in ACTS
        else "nothing in it is about a referral"
    )
    about = f"{kind}^{event}: {does}; {code}"
    if code != _ACCEPTED:
        return Verdict(name, standard, "refused", reasons, about)
    if (kind, event) not in ACTS:
        return Verdict(name, standard, "no submission", reasons, about)
    own = room.database["referrals"].find_one({"source_id": room.settings.hl7_sources[0].removeprefix("*=")})
    is_held = own is not None and own["status"] == "needs-information"
    return Verdict(name, standard, "held" if is_held else "accepted", reasons, about)


def _type_of(raw: bytes) -> tuple[str, str]:
    try:
        header = message.header_of(raw)
    except Refusal:
        return "", ""
    return header.text(9), header.text(9, 2)


def _is_readable(raw: bytes) -> bool:
    try:
        message.parse(raw)
    except Refusal:
        return False
    return True


def _reasons(answer: Message) -> tuple[Reason, ...]:
    """Every ERR of the answer: since version 2.5 one segment each, before it one repetition of ERR-1 each."""
    reasons = []
    for err in answer.all("ERR"):
        if err.is_said(5):
            place = "-".join(part for part in (err.text(2, 1), err.text(2, 3)) if part)
            reasons.append((err.text(5), place))
            continue
        for one in err.values(1):
            reasons.append((one.text(4, 4), "-".join(part for part in (one.text(1), one.text(3)) if part)))
    return tuple(Reason(code, place, rule_of(code)) for code, place in reasons)
