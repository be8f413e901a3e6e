"""Who signs in at the desk and out of it is in the audit trail, before they see anything."""

from __future__ import annotations

import re

import httpx

from tests.integration.intake.intake_processes import Bus, Er, until


def posted(client: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    """A form of the page, as a browser sends it."""
    csrf = re.findall('name="csrf" value="([^"]+)"', client.get(page).text)[0]
    return client.post(path, data={"csrf": csrf, **fields})


def test_signing_in_and_out_are_entries_with_the_door_and_the_way_it_ended(er: Er, bus: Bus):
    """By whom, at which door; signed out by themselves."""
    with httpx.Client(base_url=er.base, timeout=20) as client:
        entered = posted(client, "/desk/sign-in", "/desk/sign-in", token=er.token)
        assert entered.status_code == 303
        left = posted(client, "/desk", "/desk/sign-out")
        assert left.status_code == 303
        again = posted(client, "/desk/sign-in", "/desk/sign-in", token="no token")
        assert again.status_code == 401
    (began,) = until("began", lambda: bus.said("session.began.v1", door="desk"))
    (ended,) = until("ended", lambda: bus.said("session.ended.v1", door="desk"))
    assert began.provenance.actor_id == ended.provenance.actor_id == "nurse-ada"
    assert ended.reason_code == "signed-out"
