"""`kindred sign-in`: a person signs in by the device flow, their token is kept for them alone, and ends with sign-out."""

from __future__ import annotations

import stat

import pytest
from typer.testing import CliRunner

from cli import personal
from cli.app import app
from cli.local import authority
from cli.reach import Reach, Who
from tests.signing_in import SignIns, claims_of, sign_ins


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """One issuer for this file."""
    with sign_ins(tmp_path_factory.mktemp("keys"), "/desk") as found:
        yield found


@pytest.fixture
def here(people: SignIns, tmp_path, monkeypatch):
    """A command line that knows this issuer and nobody yet."""
    monkeypatch.setenv("KINDRED_VAR", str(tmp_path))
    monkeypatch.setenv("KINDRED_OIDC_ISSUER", people.issuer.url)
    monkeypatch.setenv("KINDRED_OIDC_CA", str(people.keys_dir / authority.AUTHORITY))
    monkeypatch.delenv("KINDRED_TOKEN", raising=False)
    return tmp_path


def signed_in(people: SignIns, **said: str) -> personal.SignIn:
    """Somebody who goes to the page with the code while the command line waits."""
    asked: list[personal.Asking] = []

    def meanwhile(_: float) -> None:
        with people.at_the_issuer() as browser:
            assert asked[0].code in browser.get(asked[0].full_address).text
            browser.post("/device", data={"user_code": asked[0].code.lower(), **said})

    return personal.SignInService(None).ask(asked.append, meanwhile)


def test_whoever_signs_in_speaks_for_the_commands_after_it(people, here):
    """The token is theirs, the file is their own, a command told to speak for another does not use it."""
    found = signed_in(people, persona="nurse-ada")
    personal.keep(found)
    assert (found.person, found.role) == ("nurse-ada", "nurse")
    said = claims_of(found.access_token)
    assert (said["aud"], said["role"], said["organization"]) == ("kindred", "nurse", "er-st-brigid")
    assert stat.S_IMODE((here / "sign-in.json").stat().st_mode) == 0o600
    assert Reach(is_personal=True).token("specialist", "x") == found.access_token
    assert Reach()._personal() == Reach(Who(role="nurse"), is_personal=True)._personal() == ""


def test_a_token_that_is_nearly_over_is_renewed_and_signing_out_ends_both(people, here):
    """The refresh token works once; after `kindred sign-out` neither it nor the file is worth anything."""
    found = signed_in(people, persona="officer-vera")
    old = personal.SignIn(found.issuer, found.person, found.role, "old", 0.0, found.refresh_token)
    personal.keep(old)
    assert personal.token(None) not in ("", "old")
    assert personal.SignInService(None).renewed(old) is None
    held = personal.held()
    told = CliRunner().invoke(app, ["sign-out", "--json"])
    assert '"is_revoked": true' in told.stdout and personal.held() is None
    assert held is not None and personal.SignInService(None).renewed(held) is None


def test_nobody_is_signed_in_by_a_no_or_a_wrong_code(people, here):
    """Turned away at the page, and a service that is not there: each is one sentence."""
    with pytest.raises(personal.NotSignedIn, match="access_denied"):
        signed_in(people, deny="1")
    with people.at_the_issuer() as browser:
        assert browser.post("/device", data={"user_code": "BBBB-BBBB", "persona": "lena"}).status_code == 400


def test_a_command_without_anybody_says_what_to_do(here, monkeypatch):
    """No system, no sign-in: the way on is named."""
    monkeypatch.delenv("KINDRED_OIDC_ISSUER")
    told = CliRunner().invoke(app, ["sign-in"])
    assert told.exit_code == 1 and "KINDRED_OIDC_ISSUER" in told.output
