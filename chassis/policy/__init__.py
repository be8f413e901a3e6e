"""Who may do what: `table.txt` beside this file says it, door by door, and every door asks it before anything else.

A door's lines permit, a line of `never` forbids, and forbidding wins.  What a line needs beyond role, purpose and
organization is decided where the record is known, and named in the line, so that one file shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from chassis import identity, logs
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from chassis.policy.reading import Need, Never, Row, Table, load
from chassis.settings import STEP_UP_MINUTES

__all__ = ["Decision", "Door", "DoorWithoutPolicy", "Need", "Never", "Policy", "Row", "admit", "being_served"]
PERMITTED = "permitted"
Proof = tuple[timedelta, str]
_USUAL_PROOF: Proof = (timedelta(minutes=STEP_UP_MINUTES), "")
_ASKED_BY_TOKEN = "token"  # noqa: S105
_MESSAGES = {
    "role-not-allowed": "Your role may not do this.",
    "purpose-not-allowed": "Name a purpose of use this may be done for.",
    "organization-missing": "The token names no organization.",
    "scope-missing": "A system's token opens only what it is scoped for.",
    "step-up-needed": "This asks for a fresh sign-in.",
}

log = logs.get()


class DoorWithoutPolicy(RuntimeError):  # noqa: N818
    """A door that no line of the table speaks of: it must not open."""

    def __init__(self, door: str) -> None:
        super().__init__(
            f'No line of chassis/policy/table.txt speaks of "{door}". '
            "Add one (door | sign-in | who | for | needs), then renew tests/security/access_table.txt."
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a caller at a door: `reason` is `permitted`, or the code of the refusal.

    `asks_proof`: they must have proved who they are a moment ago (NIST SP 800-63B, RFC 9470).
    """

    reason: str
    needed: tuple[str, ...] = ()
    asks_proof: bool = False

    @property
    def is_permitted(self) -> bool:
        """True where they may go on to what the line needs beyond its door."""
        return self.reason == PERMITTED


class Policy:
    """The table, ready to be asked; safe to share between threads."""

    def __init__(self, table: Table, proof: Proof = _USUAL_PROOF) -> None:
        self.table, self._proof = table, proof
        self._known: dict[tuple[str, str, str, bool, bool], Decision] = {}

    def rows(self, door: str) -> tuple[Row, ...]:
        """The lines that speak of the door; raises DoorWithoutPolicy."""
        found = self.table.rows.get(door)
        if not found:
            log.error("no line of the policy speaks of this door", method=door.replace(" ", ":"))
            raise DoorWithoutPolicy(door)
        return found

    def sign_in(self, door: str) -> str:
        """How callers of the door are known; raises DoorWithoutPolicy."""
        return self.rows(door)[0].sign_in

    def decide(self, door: str, caller: Caller) -> Decision:
        """What the table says of this caller; raises DoorWithoutPolicy."""
        about = (
            door,
            caller.role,
            caller.purpose_of_use,
            bool(caller.organization_id),
            bool(caller.scopes),
        )
        decision = self._known.get(about)
        if decision is None:  # few hundred doors, eight roles, twelve purposes: it stays small
            decision = self._known[about] = self._decided(*about)
        return decision

    def admit(self, door: str, caller: Caller | None) -> None:
        """The caller may come in; raises Refusal FORBIDDEN, or UNAUTHENTICATED where a known caller is asked for."""
        if self.sign_in(door) != _ASKED_BY_TOKEN:
            return
        if caller is None:
            raise Refusal("token-missing", Kind.UNAUTHENTICATED, "A bearer token is needed.")
        self.insist(door, caller)

    def insist(self, door: str, caller: Caller) -> None:
        """The caller is permitted, however they are known here; raises Refusal FORBIDDEN."""
        decision = self.decide(door, caller)
        if not decision.is_permitted:
            message = _MESSAGES.get(decision.reason, "")
            facts: dict[str, Any] = {"needed": ",".join(decision.needed)} if decision.needed else {}
            raise Refusal(decision.reason, Kind.FORBIDDEN, message, **facts)
        if decision.asks_proof:
            identity.require_fresh(caller, *self._proof)

    def _decided(
        self, door: str, role: str, purpose: str, has_organization: bool, is_scoped: bool
    ) -> Decision:
        rows = self.rows(door)
        for never in self.table.nevers:
            if any(never.forbids(row, role, purpose) for row in rows):
                return Decision(never.reason)
        of_role = [row for row in rows if role in row.roles]
        permitting = [row for row in of_role if row.is_for(purpose)]
        if not permitting:
            return _not_permitted(rows, of_role, purpose)
        if not has_organization and all("organization" in row.needs for row in permitting):
            return Decision("organization-missing")
        if is_scoped and not any("scope" in row.needs for row in permitting):
            return Decision("scope-missing")
        return Decision(PERMITTED, asks_proof=all("fresh" in row.needs for row in permitting))


def _not_permitted(rows: Sequence[Row], of_role: Sequence[Row], purpose: str) -> Decision:
    """A role that has no line here, or none for a purpose that others' lines name; else the purpose is the trouble."""
    if not of_role or any(row.is_for(purpose) for row in rows):
        return Decision("role-not-allowed")
    return Decision("purpose-not-allowed", tuple(sorted(of_role[0].purposes or ())))


class AnyDoor(Policy):
    """Lets every known caller in at every door: for tests of the doors themselves, with doors of their own."""

    def __init__(self) -> None:
        super().__init__(Table({}, (), {}, {}))

    def rows(self, door: str) -> tuple[Row, ...]:
        """One line that asks nothing."""
        return (Row(door, "open", frozenset(), None, ()),)


@cache
def ours(proof: Proof = _USUAL_PROOF) -> Policy:
    """The policy of every service: the table beside this file; `proof` is how fresh and strong a sign-in must be."""
    return Policy(load(), proof)


@dataclass(frozen=True, slots=True)
class Door:
    """The door a request came in by, for whoever finds out later who is asking."""

    policy: Policy
    name: str


_served: ContextVar[Door | None] = ContextVar("door", default=None)


@contextmanager
def being_served(policy: Policy, door: str) -> Iterator[None]:
    """`admit` asks about this door in the block, also in threads that are started for it."""
    token = _served.set(Door(policy, door))
    try:
        yield
    finally:
        _served.reset(token)


def served() -> Door | None:
    """The door that is being served, for a thread that goes on with its page in a context of its own."""
    return _served.get()


def admit(caller: Caller) -> None:
    """Whoever is signed in may open the page that is being served; raises Refusal FORBIDDEN.

    Every door of pages calls this as soon as it knows who sits before the browser.
    """
    door = _served.get()
    if door is None:
        raise DoorWithoutPolicy("a page outside chassis.http_server.build_app")
    door.policy.insist(door.name, caller)


def commands() -> Mapping[str, tuple[str, ...]]:
    """Each command and the doors it asks; "this machine" where it needs the keys or data of this checkout."""
    return ours().table.commands
