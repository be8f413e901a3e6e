"""What notifications says and shows: events, and notices without address or link."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kindred.bus.v1.bus_pb2 import Provenance
from kindred.notifications.v1 import events_pb2, notifications_pb2
from services.notifications.domain.events import (
    Event,
    NoticeBounced,
    NoticeDelivered,
    NoticeReplied,
    NoticeSent,
)
from services.notifications.domain.notices import Attempt, Notice


def event_to_proto(event: Event) -> Message:
    """What notifications says, for the bus."""
    notice = event.notice
    provenance = Provenance(
        actor_id="system:notifications",
        actor_role="system",
        organization_id=notice.organization_id,
        purpose_of_use=notice.purpose_of_use,
        peer_id=notice.peer_id,
    )
    about: dict[str, Any] = {
        "provenance": provenance,
        "notice_id": notice.notice_id,
        "intent": notice.intent,
        "recipient_id": notice.recipient_id,
        "referral_id": notice.referral_id,
        "offer_id": notice.offer_id,
    }
    match event:
        case NoticeSent(_, attempt):
            return events_pb2.NoticeSent(
                **about,
                channel=attempt.channel,
                attempt=attempt.number,
                is_possible_repeat=attempt.is_possible_repeat,
            )
        case NoticeDelivered(_, attempt):
            return events_pb2.NoticeDelivered(**about, channel=attempt.channel, attempt=attempt.number)
        case NoticeBounced(_, attempt, reason_code):
            return events_pb2.NoticeBounced(
                **about, channel=attempt.channel, attempt=attempt.number, reason_code=reason_code
            )
        case NoticeReplied(_, kind):
            return events_pb2.NoticeReplied(**about, channel=notice.channel, kind=kind)
        case _:
            return events_pb2.NoticeFailed(**about, channel=notice.channel, reason_code=notice.reason_code)


def notices_to_proto(notices: list[Notice]) -> notifications_pb2.ListNoticesResponse:
    """Notices as the API shows them: no address, no link."""
    return notifications_pb2.ListNoticesResponse(notices=[notice_to_proto(notice) for notice in notices])


def notice_to_proto(notice: Notice) -> notifications_pb2.Notice:
    """A notice as the API shows it."""
    return notifications_pb2.Notice(
        notice_id=notice.notice_id,
        intent=notice.intent,
        recipient_id=notice.recipient_id,
        referral_id=notice.referral_id,
        channel=notice.channel,
        state=notice.state,
        reason_code=notice.reason_code,
        opened_at=_stamp(notice.opened_at),
        expires_at=_stamp(notice.expires_at),
        due_at=_stamp(notice.due_at) if notice.due_at else None,
        attempts=[_attempt_to_proto(attempt) for attempt in notice.attempts],
    )


def _attempt_to_proto(attempt: Attempt) -> notifications_pb2.Attempt:
    return notifications_pb2.Attempt(
        number=attempt.number,
        at=_stamp(attempt.at),
        outcome=attempt.outcome,
        is_possible_repeat=attempt.is_possible_repeat,
        channel=attempt.channel,
    )


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
