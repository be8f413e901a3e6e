"""A rule of a consent document, and what somebody asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from services.intake.domain import labels

ACTIONS = frozenset({"collect", "access", "use", "disclose", "correct"})
# What is done with a referral, in R4's words; of those only "correct" is missing.
OUR_ACTIONS = ACTIONS - {"correct"}
# Roles of R4's SecurityRoleType that say whose record it is, or who signed, and not who may have it.
_KEEPERS = frozenset({"CST", "AUT", "INF", "SOURCE", "PRIMAUTH", "COAUTH", "TRANS", "CONT", "ENT", "LA"})
_SIGNERS = frozenset(
    {
        *("CONSENTER", "GRANTOR", "DELEGATOR", "GT", "GUADLTM", "POWATT", "HPOWATT", "DPOWATT", "SPOWATT"),
        *("RESPRSN", "WIT", "EVTWIT", "INTPRTER", "VERF", "VALID", "CONSWIT"),
    }
)


class Match(IntEnum):
    """Does a rule speak of what is asked?  MAYBE where the document does not let us know."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Coding:
    """A code in its system."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody a rule names.  `who` is us, source, other, or unknown: a reference that leads to nobody we know."""

    role: str = ""
    who: str = "unknown"
    names: tuple[str, ...] = ()

    @property
    def is_keeper(self) -> bool:
        """True for whose record it is."""
        return self.role in _KEEPERS

    @property
    def is_recipient(self) -> bool:
        """True for who may have it; also for a role we do not know."""
        return self.role not in _KEEPERS and self.role not in _SIGNERS


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource a rule names: its type, and whether it came along."""

    meaning: str
    kind: str = ""
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule.  `is_permit` None: the document did not say; `base` is the policy rule's own answer, of the root only.

    `unread` are its elements that change its meaning and are not understood.
    """

    is_permit: bool | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    actors: tuple[Actor, ...] = ()
    actions: tuple[str, ...] = ()  # of consentaction; "" for one that is not of it
    purposes: tuple[str, ...] = ()
    classes: tuple[Coding, ...] = ()
    codes: tuple[Coding, ...] = ()  # ("", "") for words without a code
    labels: tuple[Coding, ...] = ()
    data_from: datetime | None = None
    data_until: datetime | None = None
    data: tuple[Resource, ...] = ()
    unread: tuple[str, ...] = ()
    inner: tuple[Provision, ...] = ()
    base: bool | None = None

    def turns(self) -> Iterator[datetime]:
        """Every moment at which this rule or one below it begins or stops to apply."""
        for one in self.every():
            yield from (
                at for at in (one.starts_at, one.ends_at, one.data_from, one.data_until) if at is not None
            )

    def every(self) -> Iterator[Provision]:
        """This rule and all below it."""
        yield self
        for one in self.inner:
            yield from one.every()


@dataclass(frozen=True, slots=True)
class Item:
    """A part of what is to leave.  `sensitivities` None: nobody can tell (free text, a code of another system)."""

    kind: str
    codes: tuple[Coding, ...] = ()
    sensitivities: frozenset[str] | None = frozenset()
    confidentiality: str = "N"


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants to do: for which purpose (any one of them is enough), to whom, with which parts, when.

    All `items` leave, or nothing does; each of `optional` is withheld where it may not leave.
    """

    at: datetime
    items: tuple[Item, ...]
    optional: tuple[Item, ...] = ()
    purposes: tuple[str, ...] = tuple(labels.PURPOSES)
    recipients: tuple[str, ...] = ()  # as whom a rule may name who receives it, beside us
    our_names: tuple[str, ...] = ()  # as whom it may name us, who receive it or pass it on
    actions: frozenset[str] = OUR_ACTIONS
    policies: frozenset[str] = frozenset()  # of the data: 42CFRPart2
    labels: tuple[str, ...] = ()  # as the source labelled it
    required: tuple[str, ...] = ()  # elements of 2.31(a) that must have come along
