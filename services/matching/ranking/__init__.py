"""Ranking one referral against the whole roster in about a millisecond."""

from services.matching.ranking.index import Proposal, RosterIndex

__all__ = ["Proposal", "RosterIndex"]
