"""Matching's MongoDB: cases with their offers, the roster, and how much each specialist carries."""

from services.matching.store.cases import CaseStore
from services.matching.store.roster import RosterStore

__all__ = ["CaseStore", "RosterStore"]
