"""A referral moved: whoever its source wants told will be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from chassis.envelope import Cause
from services.intake.domain.outward import Kind

if TYPE_CHECKING:
    from services.intake.bootstrap import Room


def tell_source(room: Room, referral_ids: Mapping[str, Cause], engines: Collection[str]) -> int:
    """Every receiver of each referral's source will be told of its newest version; returns how many will.

    `engines` are the sources that have an interface engine.  Safe to repeat.
    """
    moved = room.deliveries.news_of(list(referral_ids))
    subscribed = room.subscriptions.of_sources({news.source_id for news in moved})
    count = 0
    for news in moved:
        receivers = [
            (held.subscription.subscription_id, Kind.REST_HOOK)
            for held in subscribed
            if held.subscription.is_told and held.subscription.source_id == news.source_id
        ]
        if news.source_id in engines:
            receivers.append((f"hl7v2:{news.source_id}", Kind.HL7))
        for receiver_id, kind in receivers:
            room.deliveries.want(receiver_id, kind, news, referral_ids[news.referral_id])
            count += 1
    return count
