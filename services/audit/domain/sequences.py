"""Gapless or not: which sequence numbers of one producer have been heard, as a few ranges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Closed ranges (first, last), sorted, apart from each other by at least one missing number.
Ranges = tuple[tuple[int, int], ...]


def heard(ranges: Sequence[Sequence[int]], numbers: Iterable[int]) -> Ranges:
    """The ranges with these numbers added; hearing a number twice changes nothing."""
    return joined(ranges, [(each, each) for each in numbers])


def joined(some: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> Ranges:
    """Every number of both."""
    merged: list[list[int]] = []
    for first, last in sorted((low, high) for low, high in (*some, *others)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return tuple((first, last) for first, last in merged)


def highest(ranges: Sequence[Sequence[int]]) -> int:
    """The highest number heard; 0 where none was."""
    return ranges[-1][1] if ranges else 0


def gaps(ranges: Sequence[Sequence[int]]) -> Ranges:
    """The ranges below the highest number that were never heard, from 1."""
    found = []
    expected = 1
    for first, last in ranges:
        if first > expected:
            found.append((expected, first - 1))
        expected = last + 1
    return tuple(found)


def missing(ranges: Sequence[Sequence[int]], limit: int) -> list[int]:
    """The first `limit` numbers below the highest that were never heard."""
    found: list[int] = []
    for first, last in gaps(ranges):
        found += range(first, min(last, first + limit - len(found) - 1) + 1)
        if len(found) >= limit:
            break
    return found
