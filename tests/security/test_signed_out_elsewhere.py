"""Who is signed out at the provider is signed out here: its word is believed as its tokens are, and acted on once."""

from __future__ import annotations

import json
import secrets
import time

import httpx
import pytest

from chassis.clock import SystemClock
from chassis.errors import Refusal
from chassis.oidc.attempts import Attempts
from services.audit.officers_door import render_refusal, routes
from services.audit.web.sessions import Sessions
from tests.audit_reading import ReadLog, a_read_log
from tests.security.provider_of_lies import Lies, a_party
from tests.signing_in import settings_of, sign_ins, signed_in

EVENT = "http://schemas.openid.net/event/backchannel-logout"
NOW = int(time.time())


@pytest.fixture(scope="module")
def attempts(mongo_client):
    """One collection for this file."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield Attempts(mongo_client[name], SystemClock(), "desk")
    mongo_client.drop_database(name)


def a_logout_token(lies: Lies, **more) -> str:
    """An honest one, but for what the test changed: an id token's claims that do not belong there are gone."""
    apart = {"nonce": None, "at_hash": None, "auth_time": None, "role": None, "organization": None}
    said = {"sid": "s-1", "jti": secrets.token_hex(8), "events": {EVENT: {}}}
    return lies.id_token(**(apart | said | more))


def test_an_honest_word_names_whom_and_which_session(attempts):
    """The check of all the others; its id is spent once somebody acted on it, and not before."""
    lies = Lies()
    lies.header = {"typ": "logout+jwt"}
    party, token = a_party(lies, attempts), a_logout_token(lies, jti="only-once")
    for _ in range(2):
        ending = party.signed_out(token)
    assert (ending.subject, ending.session_id, ending.token_id) == ("nurse-ada", "s-1", "only-once")
    attempts.spend(ending.token_id)
    with pytest.raises(Refusal, match="logout-token-spent"):
        party.signed_out(token)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"nonce": "n"}, "logout-token-kind"),  # an id token, which whoever signed in has
        ({"events": None}, "logout-token-kind"),
        ({"events": {EVENT: "yes"}}, "logout-token-kind"),
        ({"events": {"https://elsewhere.example/event": {}}}, "logout-token-kind"),
        ({"aud": "another-client"}, "id-token-audience"),
        ({"iss": "https://evil.example"}, "token-issuer"),
        ({"exp": NOW - 400}, "token-expired"),
        ({"exp": None}, "token-expired"),
        ({"iat": NOW - 7_200}, "token-expired"),
        ({"jti": None}, "token-invalid"),
        ({"sub": None, "sid": None}, "token-invalid"),
        ({"sub": {"$ne": ""}}, "token-invalid"),
        ({"sid": ["s-1"]}, "token-invalid"),
        ({"sub": "s" * 600}, "token-invalid"),
    ],
)
def test_a_word_that_lies_signs_nobody_out(attempts, claims, code):
    """Nonce, event, audience, issuer, times, id and whom: each wrong one is found."""
    lies = Lies()
    with pytest.raises(Refusal) as no:
        a_party(lies, attempts).signed_out(a_logout_token(lies, **claims))
    assert no.value.code == code


def test_a_token_for_something_else_signs_nobody_out(attempts):
    """Its header says what it is for, where it says anything (RFC 8725 3.11)."""
    lies = Lies()
    lies.header = {"typ": "at+jwt"}
    with pytest.raises(Refusal, match="logout-token-kind"):
        a_party(lies, attempts).signed_out(a_logout_token(lies))


@pytest.fixture(scope="module")
def log(mongo_uri, tmp_path_factory):
    """A console with a sign-in service of its own."""
    folder = tmp_path_factory.mktemp("console")
    with (
        sign_ins(folder / "keys", "/console") as people,
        a_read_log(mongo_uri, folder, SystemClock(), **settings_of(people)) as log,
    ):
        log.people = people
        yield log


def test_the_live_console_signs_out_whom_the_provider_signed_out(log: ReadLog):
    """One session by its id there, then all of a person's; nobody else's, and each is an entry of the log."""
    kept = Sessions(log.room.database, log.room.clock)
    signing = log.people.issuer.keys
    with (
        log.serving(routes(log.room), render_refusal=render_refusal) as address,
        httpx.Client(base_url=address, timeout=20) as provider,
    ):

        def tell(**claims) -> httpx.Response:
            now = int(time.time())
            said = {
                "iss": log.people.issuer.url,
                "aud": "kindred-test",
                "iat": now,
                "exp": now + 120,
                "jti": secrets.token_hex(8),
                "events": {EVENT: {}},
            }
            sent = signing.sign({**said, **claims}, "logout+jwt")
            return provider.post("/console/sign-in/ended", data={"logout_token": sent})

        def is_in(secret: str) -> bool:
            return kept.find(secret) is not None

        with httpx.Client(base_url=address, timeout=20) as browser:
            assert log.people.walk(browser, persona="officer-vera").status_code == 200
            by_hand = browser.cookies["kindred-console"]
            assert kept.stored(by_hand)["elsewhere"] == {"sub": "officer-vera"}
            vera = log.officer()
            two = kept.start(vera, {}, {"sub": "officer-vera", "sid": "s-2"})
            other = kept.start(vera, {}, {"sub": "officer-otto", "sid": "s-3"})
            assert tell(sid="s-2").status_code == 200
            assert (is_in(by_hand), is_in(two), is_in(other)) == (True, False, True)
            assert tell(sub="officer-vera", jti="once").status_code == 200
            assert (is_in(by_hand), is_in(other)) == (False, True)
            assert browser.get("/console", follow_redirects=False).status_code in (303, 401)
            again = tell(sub="officer-otto", jti="once")
            assert (again.status_code, again.json()["error_description"]) == (400, "logout-token-spent")
            assert again.headers["cache-control"] == "no-store" and is_in(other)
            assert tell(sub="nobody-here").status_code == 200
            assert provider.post("/console/sign-in/ended", data={}).status_code == 400
            assert provider.post("/console/sign-in/ended", content=json.dumps({})).status_code == 400
            signed_in(browser, kept, "kindred-console", vera)
            assert browser.get("/console").status_code == 200
    said = log.said()
    ended = [one for kind, one in said if kind == "session.ended.v1"]
    assert [one.reason_code for one in ended].count("signed-out-elsewhere") == 2
    assert "logout-token-spent" in [one.reason_code for kind, one in said if kind == "access.denied.v1"]
