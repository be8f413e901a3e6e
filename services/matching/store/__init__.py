"""Matching's MongoDB: cases with their offers, the roster, who carries how much, the programmes' ladders."""

from services.matching.store.cases import CaseStore
from services.matching.store.ladders import LadderStore
from services.matching.store.plans import PlanStore
from services.matching.store.roster import RosterStore

__all__ = ["CaseStore", "LadderStore", "PlanStore", "RosterStore"]
