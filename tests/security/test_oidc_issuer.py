"""The development issuer, attacked as a provider would be: codes once, PKCE, exact addresses, rotation, logout."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey

from chassis.oidc.client import Client as OurClient
from chassis.oidc.client import NotGranted
from chassis.oidc.fetching import Fetcher
from chassis.oidc.provider import Provider
from chassis.oidc.tokens import Expected, Judge
from cli.local import authority
from tests.signing_in import SignIns, claims_of, query_of, sign_ins

VERIFIER = "v" * 43


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """One issuer for this file."""
    with sign_ins(tmp_path_factory.mktemp("keys"), "/desk") as found:
        yield found


def asked(people: SignIns, **changed: str) -> dict[str, str]:
    """A good authorization request, and what is changed."""
    from chassis.oidc.attempts import challenge_of

    back = f"http://127.0.0.1:{people.port}/desk/sign-in/done"
    good = {
        "response_type": "code",
        "client_id": "kindred-test",
        "redirect_uri": back,
        "scope": "openid",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in {**good, **changed}.items() if value}


def a_code(people: SignIns) -> dict[str, str]:
    """What buys tokens."""
    from urllib.parse import urlencode

    back = people.chosen(f"/authorize?{urlencode(asked(people))}", persona="nurse-ada")
    return {
        "grant_type": "authorization_code",
        "code": query_of(back)["code"],
        "redirect_uri": asked(people)["redirect_uri"],
        "code_verifier": VERIFIER,
    }


def ours(people: SignIns, **how: str) -> tuple[OurClient, Provider, Fetcher]:
    """Our side, over a socket and TLS."""
    asks = Fetcher(people.issuer.url, str(people.keys_dir / authority.AUTHORITY))
    secret = people.settings["KINDRED_OIDC_SECRET_PATH"]
    client = OurClient(how.pop("client_id", "kindred-test"), **(how or {"secret_file": secret}))
    return client, Provider(people.issuer.url, asks), asks


def test_nothing_is_sent_to_an_address_that_is_not_registered(people):
    """Another host, another path, a longer one: a page of the issuer's own, and no redirect."""
    good = asked(people)["redirect_uri"]
    with people.at_the_issuer() as browser:
        for wrong in (
            "https://evil.example/",
            f"{good}/more",
            f"{good}?x=1",
            good.replace("desk", "console"),
        ):
            answer = browser.get("/authorize", params=asked(people, redirect_uri=wrong))
            assert answer.status_code == 400 and "location" not in answer.headers
        for changed in ({"code_challenge": ""}, {"code_challenge_method": "plain"}, {"state": ""}):
            answer = browser.get("/authorize", params=asked(people, **changed))
            assert query_of(answer.headers["location"])["error"] == "invalid_request"
        silent = browser.get("/authorize", params=asked(people, prompt="none"))
        assert query_of(silent.headers["location"])["error"] == "login_required"


def test_a_code_buys_once_for_its_client_with_its_verifier(people):
    """A replayed code, another verifier, another address, a wrong secret: no token."""
    client, provider, asks = ours(people)
    good = a_code(people)
    assert claims_of(client.tokens(provider, asks, good)["id_token"])["sub"] == "nurse-ada"
    for fields in (
        good,
        a_code(people) | {"code_verifier": "w" * 43},
        a_code(people) | {"redirect_uri": "x"},
    ):
        with pytest.raises(NotGranted, match="invalid_grant"):
            client.tokens(provider, asks, fields)
    with pytest.raises(NotGranted, match="invalid_client"):
        OurClient("kindred-test").tokens(provider, asks, a_code(people))


def test_a_key_of_our_own_proves_us_and_an_assertion_works_once(people, tmp_path):
    """private_key_jwt instead of a shared secret."""
    key = ECKey.generate_key("P-256", {"kid": "ours"})
    (tmp_path / "key.jwk").write_text(json.dumps(key.as_dict(private=True)))
    with sign_ins(tmp_path / "other", "/desk") as other:
        other.issuer.clients["kindred-test"].jwk = key.as_dict(private=False)  # type: ignore[index]
        client, provider, asks = ours(other, key_file=str(tmp_path / "key.jwk"))
        assert client.tokens(provider, asks, a_code(other))["token_type"] == "Bearer"


def test_a_rotated_key_signs_at_once_and_the_one_before_is_still_believed(people):
    """`kindred issuer rotate` while everything runs: old and new tokens are read, after two rotations the old is not."""
    client, provider, asks = ours(people)
    turned = [0.0]
    provider.now = lambda: turned[0]
    judge, expected = Judge(provider), Expected("kindred-test", "n")
    old = client.tokens(provider, asks, a_code(people))
    assert judge.id_token(old["id_token"], expected, old["access_token"])["sub"] == "nurse-ada"
    people.issuer.keys.rotate()
    new = client.tokens(provider, asks, a_code(people))
    turned[0] += 60
    assert judge.id_token(new["id_token"], expected, new["access_token"])["sub"] == "nurse-ada"
    assert judge.id_token(old["id_token"], expected, old["access_token"])["sub"] == "nurse-ada"
    people.issuer.keys.rotate()
    turned[0] += 3_600
    with pytest.raises(Exception, match="token-key-unknown"):
        judge.id_token(old["id_token"], expected, old["access_token"])


def test_a_logout_leads_back_to_registered_addresses_only(people):
    """The way back is the client's own or none, whoever asks."""
    good = f"http://127.0.0.1:{people.port}/desk/sign-in"
    with people.at_the_issuer() as browser:
        for back, is_back in ((good, True), ("https://evil.example/", False), (f"{good}/done", False)):
            sent = {"client_id": "kindred-test", "post_logout_redirect_uri": back}
            assert (f"url={back}" in browser.get("/end_session", params=sent).text) is is_back
        assert browser.get("/end_session", params={"id_token_hint": "a.b.c"}).status_code == 400
