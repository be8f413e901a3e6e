"""One syslog message of a known node becomes an entry: stored as it came, flagged where it is odd, never refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chassis import telemetry
from chassis.identity import Caller
from services.audit.atna.frames import Frame, said
from services.audit.atna.messages import NoAuditMessage, converted
from services.audit.fhir import outside

if TYPE_CHECKING:
    from services.audit.fhir.outside import Received
    from services.audit.reading_room import ReadingRoom as Room


def receive(room: Room, node: Caller, frame: Frame) -> Received:
    """The message is durable and will be an entry; the same bytes from the same node are one entry."""
    message, flags = said(frame), ["atna"]
    if frame.is_cut:
        flags.append("cut")
    if frame.is_odd or not message.has_header:
        flags.append("no-syslog-header")
    try:
        document, odd = converted(message.content)
        content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        flags += odd
    except NoAuditMessage:
        content = frame.content
        flags.append("not-atna")
    return outside.receive(room, node, content, telemetry.current_cause(), flags=flags)
