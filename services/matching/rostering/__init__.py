"""The door to the roster: export, edit, rest, and the ranking explained."""

from services.matching.rostering.servicer import RosterServicer

__all__ = ["RosterServicer"]
