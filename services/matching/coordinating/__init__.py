"""A part of door 1: what coordinators, supervisors and ERs ask beside the offers."""

from services.matching.coordinating.servicer import CoordinationServicer

__all__ = ["CoordinationServicer"]
