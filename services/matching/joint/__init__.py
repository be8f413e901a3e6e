"""A backlog assigned as a whole: everybody who can be served is, then as well as possible (DOMAIN 4)."""

from services.matching.joint.deepening import solved
from services.matching.joint.explaining import Trade, trades
from services.matching.joint.lists import Lists, one_by_one
from services.matching.joint.market import Market
from services.matching.joint.solving import Solution
from services.matching.joint.stable import Held, stable

__all__ = ["Held", "Lists", "Market", "Solution", "Trade", "one_by_one", "solved", "stable", "trades"]
