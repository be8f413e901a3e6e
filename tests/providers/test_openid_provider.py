"""People sign in at an OpenID provider that is not ours: a certified one, over TLS, at the live console and the CLI."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from chassis.clock import SystemClock
from chassis.errors import Refusal
from chassis.oidc.bearer import people_tokens
from cli import personal
from cli.local import authority, ports
from services.audit.officers_door import render_refusal, routes
from services.audit.web.sessions import Sessions
from tests.audit_reading import ReadLog, a_read_log
from tests.providers.openid_provider import OpenIdProvider

COOKIE = "kindred-console"
FAR_KEYS_S = 40.0


@dataclass
class Trial:
    """The provider, and the console that sends people there."""

    provider: OpenIdProvider
    log: ReadLog
    address: str

    def browser(self) -> httpx.Client:
        """Somebody's at our pages."""
        return httpx.Client(base_url=self.address, timeout=20)

    def sign_in(
        self, pages: httpx.Client, there: httpx.Client, login: str, again: str = ""
    ) -> httpx.Response:
        """From our page to the provider as `login`, and what our page says to their return."""
        begun = pages.get(f"/console/sign-in/start{again}")
        assert begun.status_code == 303, begun.text
        filled = {"login": login, "password": "any"}
        back = self.provider.walk(there, begun.headers["location"], self.address, **filled)
        assert back.startswith(self.address), (back, self.provider.log())
        return pages.get(back)


@pytest.fixture(scope="module")
def trial(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Both, for all tests of this file."""
    folder, port = tmp_path_factory.mktemp("openid"), ports.any_free()
    authority.create(folder, (authority.ISSUER,))
    provider = OpenIdProvider(folder, f"http://127.0.0.1:{port}")
    told = provider.settings | {"http_address": f"127.0.0.1:{port}"}
    with a_read_log(mongo_uri, folder, SystemClock(), **told) as log:
        try:
            with log.serving(routes(log.room), render_refusal=render_refusal) as address:
                yield Trial(provider, log, address)
        finally:
            provider.stop()


def kept(trial: Trial) -> Sessions:
    """The sessions of the console."""
    return Sessions(trial.log.room.database, trial.log.room.clock)


def test_somebody_signs_in_and_is_who_the_provider_says(trial: Trial) -> None:
    """Discovery, code with PKCE, a secret; role, organization and time of the sign-in come from its id token."""
    with trial.browser() as pages, trial.provider.browser() as there:
        before = time.time()
        assert trial.sign_in(pages, there, "officer-vera").status_code == 200
        session = kept(trial).find(pages.cookies[COOKIE])
        assert session is not None
        caller = session.caller
        assert (caller.actor_id, caller.role, caller.organization_id) == (
            "officer-vera",
            "compliance",
            "kindred",
        )
        assert before - 2 <= caller.authenticated_at <= time.time() + 2
        assert pages.get("/console").status_code == 200


def test_the_way_back_is_good_once_and_in_one_browser(trial: Trial) -> None:
    """A second use and another browser are told that the sign-in is lost."""
    with trial.browser() as pages, trial.browser() as other, trial.provider.browser() as there:
        begun = pages.get("/console/sign-in/start")
        filled = {"login": "officer-vera", "password": "any"}
        back = trial.provider.walk(there, begun.headers["location"], trial.address, **filled)
        assert "sign-in-lost" in other.get(back).text
        assert pages.get(back).status_code == 200
        assert "sign-in-lost" in pages.get(back).text


def test_a_role_that_is_none_of_ours_is_nobody_here(trial: Trial) -> None:
    """They are signed in there, and have no session here."""
    with trial.browser() as pages, trial.provider.browser() as there:
        assert trial.sign_in(pages, there, "janitor-jim").status_code == 403
        assert COOKIE not in pages.cookies


def test_a_step_up_is_a_new_sign_in_of_the_same_person(trial: Trial) -> None:
    """prompt=login makes the provider ask again, and auth_time moves; somebody else is no proof of who it was."""
    with trial.browser() as pages, trial.provider.browser() as there:
        trial.sign_in(pages, there, "officer-vera")
        first = pages.cookies[COOKIE]
        was = kept(trial).find(first)
        time.sleep(1.1)  # auth_time is in seconds
        assert trial.sign_in(pages, there, "officer-vera", again="?again=1").status_code == 200
        now = kept(trial).find(pages.cookies[COOKIE])
        assert was and now and now.caller.authenticated_at > was.caller.authenticated_at
        assert kept(trial).find(first) is None
        other = trial.sign_in(pages, there, "officer-otto", again="?again=1")
        assert other.status_code == 403
    denied = [one.reason_code for kind, one in trial.log.said() if kind == "access.denied.v1"]
    assert "step-up-other-person" in denied


def test_signing_out_here_signs_out_there_and_everywhere_else_of_ours(trial: Trial) -> None:
    """RP-initiated logout comes back to our page; the provider tells our other session's end by its back channel."""
    with trial.browser() as pages, trial.browser() as second, trial.provider.browser() as there:
        trial.sign_in(pages, there, "officer-vera")
        trial.sign_in(second, there, "officer-vera")
        other = second.cookies[COOKIE]
        csrf = _csrf(pages.get("/console").text)
        left = pages.post("/console/sign-out", data={"csrf": csrf})
        farewell = _onward(left.text)
        assert farewell.startswith(trial.provider.issuer)
        back = trial.provider.walk(there, farewell, trial.address, logout="yes")
        assert back.startswith(f"{trial.address}/console/sign-in")
        until = time.monotonic() + 20
        while kept(trial).find(other) is not None:
            assert time.monotonic() < until, trial.provider.log()
            time.sleep(0.1)
        begun = second.get("/console/sign-in/start")
        page = there.get(begun.headers["location"], follow_redirects=True).text
        assert 'name="login"' in page  # it asks again who they are
    ended = [one.reason_code for kind, one in trial.log.said() if kind == "session.ended.v1"]
    assert "signed-out-elsewhere" in ended


def test_the_command_line_signs_in_by_a_code(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device flow, refresh with rotation, revocation; the access token is read at our APIs, the id token is not."""
    monkeypatch.setenv("KINDRED_OIDC_ISSUER", trial.provider.issuer)
    monkeypatch.setenv("KINDRED_OIDC_CA", trial.provider.authority)
    monkeypatch.setenv("KINDRED_OIDC_SCOPES", "openid,offline_access")
    service = personal.SignInService(None)
    told: list[personal.Asking] = []
    with trial.provider.browser() as there:

        def pause(_: float) -> None:
            filled = {"login": "officer-vera", "password": "any", "confirm": "yes"}
            said = trial.provider.walk(there, told[-1].full_address, "nowhere", **filled)
            assert said.startswith("200"), said

        signed_in = service.ask(told.append, pause)
    assert (signed_in.person, signed_in.role) == ("officer-vera", "compliance")
    tokens = people_tokens(trial.log.room.settings)
    caller = tokens.read(signed_in.access_token)
    assert (caller.actor_id, caller.role, caller.organization_id) == ("officer-vera", "compliance", "kindred")
    assert caller.authenticated_at > time.time() - 60
    renewed = service.renewed(signed_in)
    assert renewed is not None and renewed.refresh_token != signed_in.refresh_token
    assert service.revoke(renewed) and service.renewed(renewed) is None


def test_an_id_token_opens_no_api(trial: Trial) -> None:
    """It is for the pages' client, and not for our audience."""
    with trial.browser() as pages, trial.provider.browser() as there:
        trial.sign_in(pages, there, "officer-vera")
        id_token = kept(trial).token(pages.cookies[COOKIE], "id")
    with pytest.raises(Refusal, match=r"token-(invalid|audience)"):
        people_tokens(trial.log.room.settings).read(id_token)


def test_a_new_signing_key_needs_nothing_here(trial: Trial) -> None:
    """The provider signs with another key after a restart: the first sign-ins that meet it find it by themselves."""
    trial.provider.rotate()
    until = time.monotonic() + FAR_KEYS_S
    while True:
        with trial.browser() as pages, trial.provider.browser() as there:
            if trial.sign_in(pages, there, "officer-vera").status_code == 200:
                return
        assert time.monotonic() < until
        time.sleep(1)


def _csrf(page: str) -> str:
    return re.findall(r'name="csrf"[^>]*value="([^"]+)"', page)[0]


def _onward(page: str) -> str:

    return html.unescape(re.findall(r'<a href="([^"]+)"', page)[0])
