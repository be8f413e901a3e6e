"""A backlog assigned as a whole: everybody who can be served is, then as well as possible (DOMAIN 4)."""

from services.matching.joint.explaining import Trade, trades
from services.matching.joint.market import Market
from services.matching.joint.solving import Solution, best, greedy

__all__ = ["Market", "Solution", "Trade", "best", "greedy", "trades"]
