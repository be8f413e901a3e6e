"""Every door x every persona x own and another organization: who came in, who was turned away, and with which code."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from chassis import policy
from chassis.identity import Caller
from tests.security import gate_walk
from tests.security.walk_rooms import HERE, ROLES, TRIED, Answer, Stage, over_grpc, over_http

REVIEWED = Path(__file__).with_name("access_table.txt")
HEADER = """\
# What every door answers to whom: walked by tests/security/test_access_walk.py against the running doors, and reviewed.
# Written anew by `python -m cli.local.testbed pytest tests/security/test_access_walk.py` with KINDRED_REVIEW=1 in the
# environment; read the difference before it is committed.
#
#   own        somebody of the organization that the record is of; "in" is: the door let them in (what they asked may
#              still be impossible), else the code of the refusal
#   elsewhere  the same roles, of another organization: only who came in by their own is asked again.  "ok" is an answer
#   nobody     without a token or a session
#   purpose    somebody who comes in, for research (HRESCH), and for breaking the glass (BTG)
#   stale      somebody who comes in, but proved an hour ago who they are, where a fresh proof is needed
# Where a session begins ("gate") the provider says who they are: "of no place" names neither hospital nor programme;
# a step-up is of whoever is signed in, of an hour ago, or of another person.
"""
# Codes that turn somebody away for who they are; every other one is about what was asked.
TURNED_AWAY = frozenset(
    {
        "role-not-allowed",
        "purpose-not-allowed",
        "organization-missing",
        "scope-missing",
        "justification-missing",
        "token-missing",
        "sign-in-needed",
        "disclosure-not-for-role",
        "step-up-needed",
    }
)
_OF_PURPOSE = (("HRESCH", ROLES), ("BTG", ("nurse", "clinician", "specialist", "compliance")))


@dataclass
class Walk:
    """What was found so far."""

    lines: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    turned_away: int = 0
    untrue: list[str] = field(default_factory=list)


def walked(stages: dict[str, Stage]) -> Walk:
    """Every door of every service was tried by everybody."""
    walk = Walk()
    for stage in stages.values():
        walk.lines += ["", f"## {stage.name}"]
        with grpc.insecure_channel(f"{HERE}:{stage.port}") as channel:
            for door, method in stage.methods().items():
                _try(walk, stage, door, _caller(stage, channel, door, method))
        asyncio.run(_pages(walk, stage))
    return walk


def _caller(stage: Stage, channel: grpc.Channel, door: str, method: Any) -> Any:
    return lambda who: over_grpc(stage, channel, door, method, who)


async def _pages(walk: Walk, stage: Stage) -> None:
    loop = asyncio.get_running_loop()

    def ask(door: str, by_session: bool) -> Any:
        def asked(who: Caller | None) -> Answer:
            going = over_http(stage, door, who, by_session=by_session)
            return asyncio.run_coroutine_threadsafe(going, loop).result(120)

        return asked

    for door in stage.routes():
        if "/sign-in" in door:
            await _gate(walk, stage, door)
            continue
        by_session = policy.ours().sign_in(door) == "session"
        await asyncio.to_thread(_try, walk, stage, door, ask(door, by_session))


async def _gate(walk: Walk, stage: Stage, door: str) -> None:
    """Where a session begins: who comes through it, and from where."""
    cells = await gate_walk.walked(stage, door)
    walk.asked["at the sign-in"] += len(ROLES) if door.endswith("/done") else 1
    walk.lines.append(" | ".join([door, policy.ours().sign_in(door), *cells]))


def _try(walk: Walk, stage: Stage, door: str, ask: Any) -> None:
    """One door: everybody of our own, then whoever came in from elsewhere, nobody, and other purposes."""
    sign_in = policy.ours().sign_in(door)
    if sign_in not in ("token", "session"):
        nobody = ask(None).code
        walk.asked["nobody"] += 1
        walk.lines.append(f"{door} | {sign_in} | nobody: {nobody}")
        return
    purpose = "" if sign_in == "session" else _purpose(door)
    own = {role: ask(stage.caller(role, purpose=purpose)).code for role in ROLES}
    walk.asked["own"] += len(own)
    walk.untrue += _untrue(stage, door, own, purpose)
    walk.turned_away += sum(code in TURNED_AWAY for code in own.values())
    came_in = [role for role in ROLES if own[role] not in TURNED_AWAY]
    elsewhere = {role: ask(stage.caller(role, elsewhere=True, purpose=purpose)).code for role in came_in}
    walk.asked["elsewhere"] += len(elsewhere)
    purposes = []
    if sign_in == "token" and came_in:
        for other, roles in _OF_PURPOSE:
            role = next((one for one in came_in if one in roles), "")
            if role:
                walk.asked["purpose"] += 1
                code = ask(stage.caller(role, purpose=other)).code
                purposes.append(f"{other} {role}: {code if code in TURNED_AWAY else 'in'}")
    if sign_in == "session" and came_in and _asks_proof(door):
        walk.asked["stale"] += len(came_in)
        stale = {role: ask(stage.caller(role, stale=True)).code for role in came_in}
        purposes.append(f"stale {_cell(stale)}")
    walk.asked["nobody"] += 1
    told = {role: code if code in TURNED_AWAY else "in" for role, code in own.items()}
    cells = [
        door,
        f"own {_cell(told)}",
        f"elsewhere {_cell(elsewhere)}",
        f"nobody: {ask(None).code}",
        *purposes,
    ]
    walk.lines.append(" | ".join(cells))


def _untrue(stage: Stage, door: str, own: dict[str, str], purpose: str) -> Iterator[str]:
    """Where the door decides about a role what the table does not say; a specialist's assignment is said as one."""
    if {"assigned-specialist", "own-person"} & set(policy.ours().rows(door)[0].needs):
        return  # by who they are to this very person, which is decided with the record
    for role, code in own.items():
        said = policy.ours().decide(door, stage.caller(role, purpose=purpose)).reason
        if (code in TURNED_AWAY or said != "permitted") and code != said:
            yield f"{door}: {role} got {code}, the table says {said}"


def _asks_proof(door: str) -> bool:
    return any({"fresh", "fresh-to-export"} & set(row.needs) for row in policy.ours().rows(door))


def _purpose(door: str) -> str:
    named = policy.ours().rows(door)[0].purposes
    return next((one for one in ("TREAT", "HCOMPL", "ETREAT") if named is None or one in named), "")


def _cell(codes: dict[str, str]) -> str:
    """Roles by what they got, in the order of ROLES."""
    by_code: defaultdict[str, list[str]] = defaultdict(list)
    for role, code in codes.items():
        by_code[code].append(role)
    return "; ".join(f"{code}: {' '.join(roles)}" for code, roles in by_code.items()) or "-"


def commands() -> Iterator[str]:
    """Each command and who may use it: whoever may come in by every door it asks."""
    for command, doors in sorted(policy.commands().items()):
        asked = [door for door in doors if door != "this machine"]
        may = [role for role in ROLES if all(_may(door, role) for door in asked)]
        here = "whoever holds this machine's keys" if "this machine" in doors else "a token"
        yield f"{command} | {here} | {' '.join(may) if asked else '-'}"


def _may(door: str, role: str) -> bool:
    rows = policy.ours().rows(door)
    if rows[0].sign_in in ("open", "key", "link", "signature"):
        return True
    purpose = _purpose(door)
    return policy.ours().decide(door, Caller("one", role, "org", purpose)).is_permitted


def count(walk: Walk) -> None:
    """What the walk tried is counted with the rest."""
    doors = [line for line in walk.lines if " | " in line]
    TRIED.update({"doors walked": len(doors), "door x persona x organization asked": walk.asked.total()})
    TRIED.update({"personas turned away at their own organization": walk.turned_away})


def told(walk: Walk) -> str:
    """The whole table, as it is reviewed."""
    lines = [*walk.lines, "", "## commands", *commands()]
    return HEADER + "\n".join(lines) + "\n"
