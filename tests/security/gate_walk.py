"""The doors where a session begins and ends, walked as every persona by a provider that says who they are."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from chassis.identity import Caller
from tests.security.provider_of_lies import ISSUER, Lies, begun
from tests.security.walk_rooms import HERE, ROLES, Answer, Stage, served

# Which claim says whose somebody is, as docs/sign-in-of-people.md has it.
_CLAIM = {"specialist": "programme", "supervisor": "programme", "coordinator": "programme"}


async def walked(stage: Stage, door: str) -> list[str]:
    """The cells of one door of the sign-in: who comes through, from where, and what nobody gets."""
    nobody = await _nobody(stage, door)
    if not door.endswith("/done"):
        return [f"nobody: {nobody}"]
    own = {role: (await through(stage, _claims(stage, role))).code for role in ROLES}
    came_in = [role for role in ROLES if own[role] == "ok"]
    elsewhere = {role: (await through(stage, _claims(stage, role, elsewhere=True))).code for role in came_in}
    nowhere = {role: (await through(stage, {"role": role})).code for role in came_in}
    stale = {role: (await again(stage, role, auth_time=int(time.time()) - 3_600)).code for role in came_in}
    other = {role: (await again(stage, role, sub="somebody-else")).code for role in came_in}
    anew = {role: (await again(stage, role)).code for role in came_in}
    cells = {"own": own, "elsewhere": elsewhere, "of no place": nowhere}
    cells |= {"step-up": anew, "step-up, stale": stale, "step-up, another": other}
    return [*(f"{what} {_told(codes)}" for what, codes in cells.items()), f"nobody: {nobody}"]


async def through(stage: Stage, claims: dict[str, Any], *, session: str = "", more: str = "") -> Answer:
    """From the page to the provider and back, as the provider's claims say."""
    lies: Lies = stage.lies
    home = f"/{_gate(stage).split('/')[1]}"
    cookies = f"{stage.cookie}={session}" if session else ""
    status, found, _ = await served(stage.app, "GET", f"{home}/sign-in/start{more}", _head(cookies), b"")
    assert status == 303 and found["location"].startswith(f"{ISSUER}/authorize"), found
    lies.claims = {"sub": "a-persona", "role": None, "organization": None, **claims}
    state = begun(lies, found["location"])["state"]
    flow = SimpleCookie(found["set-cookie"])
    carried = "; ".join(
        [*(f"{name}={one.value}" for name, one in flow.items()), *([cookies] if cookies else [])]
    )
    stage.codes.clear()
    asked = f"{home}/sign-in/done?{urlencode({'code': 'c', 'state': state})}"
    status, found, body = await served(stage.app, "GET", asked, _head(carried), b"")
    if status == 200:
        assert stage.cookie in found["set-cookie"] and "refresh" in body.decode()
    return Answer(
        stage.codes[-1] if stage.codes else "ok" if status == 200 else f"http-{status}", status, body
    )


async def again(stage: Stage, role: str, **claims: Any) -> Answer:
    """Somebody who is signed in proves anew who they are, or somebody else does, or not now."""
    caller = Caller("a-persona", role, stage.organization(role), authenticated_at=1.0)
    session = stage.sessions.start(caller)
    said = _claims(stage, role) | claims
    return await through(stage, said, session=session, more="?again=1")


async def _nobody(stage: Stage, door: str) -> str:
    """What a browser gets that never was here."""
    stage.codes.clear()
    method, _, path = door.partition(" ")
    status, found, _ = await served(stage.app, method, path, _head(""), b"")
    if stage.codes:
        return stage.codes[-1]
    to = urlsplit(found.get("location", ""))
    return (
        "to the provider"
        if f"{to.scheme}://{to.netloc}" == ISSUER
        else "ok"
        if status < 400
        else f"http-{status}"
    )


def _claims(stage: Stage, role: str, *, elsewhere: bool = False) -> dict[str, Any]:
    caller = stage.caller(role, elsewhere=elsewhere)
    return {"role": role, _CLAIM.get(role, "organization"): caller.organization_id} | (
        {"organization": caller.organization_id} if stage.name == "intake" else {}
    )


def _gate(stage: Stage) -> str:
    return next(door for door in stage.routes() if door.endswith("/sign-in/done")).partition(" ")[2]


def _head(cookies: str) -> list[tuple[bytes, bytes]]:
    found = [(b"host", HERE.encode()), (b"content-length", b"0")]
    return [*found, (b"cookie", cookies.encode())] if cookies else found


def _told(codes: dict[str, str]) -> str:
    by_code: dict[str, list[str]] = {}
    for role, code in codes.items():
        by_code.setdefault(code, []).append(role)
    return "; ".join(f"{code}: {' '.join(roles)}" for code, roles in by_code.items()) or "-"
