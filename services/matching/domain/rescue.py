"""Who speaks a language that few specialists do is not to wait for it: more ways, a wider area, at once (DOMAIN 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.matching.domain.policy import Policy, Wave


@dataclass(frozen=True)
class Rescue:
    """A language is rare where fewer than so many specialists certified in the state speak it, and fewer than that share.

    (In a small roster everybody's language has few speakers.)  Then at least so many are asked at once, by phone and
    video too, and the bedside may be so many minutes away.
    """

    speakers_below: int
    share_below_milli: int
    least_asked: int
    bedside_limit_minutes: Mapping[str, int]


def widened(wave: Wave, policy: Policy, speakers: int, roster_size: int) -> tuple[Wave, Policy]:
    """The wave and the limits as they hold where so many of the roster speak with the peer; other rules stay."""
    rescue = policy.rescue
    is_rare = speakers < rescue.speakers_below and speakers * 1000 < rescue.share_below_milli * roster_size
    if not is_rare:
        return wave, policy
    wide = replace(wave, is_wide=True, size=max(wave.size, rescue.least_asked))
    limits = {**policy.bedside_limit_minutes, **rescue.bedside_limit_minutes}
    return wide, replace(policy, bedside_limit_minutes=limits)
