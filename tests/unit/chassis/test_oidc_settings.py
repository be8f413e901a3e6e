"""What production asks of the settings of sign-in, and how claims are read."""

from __future__ import annotations

import dataclasses

import pytest

from chassis.errors import Refusal
from chassis.identity import Caller, require_fresh
from chassis.oidc.bearer import people_tokens
from chassis.oidc.claims import ClaimMap
from chassis.oidc.fetching import Away, Fetcher
from chassis.settings import ProcessSettings, SettingsFaults, check_sign_in, read
from cli.local import keys
from cli.local.issuer.__main__ import refusal

ENVIRON = {
    "KINDRED_MONGO_URI": "m",
    "KINDRED_MONGO_DATABASE": "d",
    "KINDRED_AMQP_URI": "a",
    "KINDRED_KEYS_DIR": "/nowhere",
}
PROVIDER = {
    "KINDRED_OIDC_ISSUER": "https://sign-in.example",
    "KINDRED_OIDC_CLIENT_ID": "desk",
    "KINDRED_OIDC_SECRET_PATH": "/run/secret",
    "KINDRED_PAGES_URL": "https://desk.example",
}


def settings(**more: str) -> ProcessSettings:
    """A process on this machine's loopback, and what else is said."""
    return read(ProcessSettings, ENVIRON | more)


def test_who_can_be_reached_is_production_unless_told_otherwise():
    """A door or a provider off this machine makes it production; a word makes it so too, or not."""
    assert not settings().is_production
    assert settings(KINDRED_MODE="production").is_production
    assert settings(KINDRED_HTTP_ADDRESS="0.0.0.0:8080").is_production
    assert settings(KINDRED_GRPC_ADDRESS="10.0.0.4:50051").is_production
    assert settings(**PROVIDER).is_production
    assert not settings(KINDRED_HTTP_ADDRESS="0.0.0.0:8080", KINDRED_MODE="development").is_production


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"KINDRED_MODE": "production"}, "KINDRED_OIDC_ISSUER is not set"),
        ({"KINDRED_MODE": "test"}, "KINDRED_MODE is"),
        (PROVIDER | {"KINDRED_OIDC_ISSUER": "http://sign-in.example"}, "https"),
        (PROVIDER | {"KINDRED_OIDC_CLIENT_ID": ""}, "CLIENT_ID is not set"),
        (PROVIDER | {"KINDRED_OIDC_KEY_PATH": "/run/key"}, "one of"),
        (PROVIDER | {"KINDRED_OIDC_AUDIENCE": "desk"}, "must differ"),
        (PROVIDER | {"KINDRED_OIDC_SCOPES": "profile"}, "openid"),
        (PROVIDER | {"KINDRED_PAGES_URL": ""}, "KINDRED_PAGES_URL"),
    ],
)
def test_a_weak_setting_stops_the_start(more, fault):
    """Each is a sentence that names the setting."""
    with pytest.raises(SettingsFaults, match=fault):
        check_sign_in(settings(**more))


def test_good_settings_start():
    """A provider with all it needs, and a machine of one's own without one."""
    check_sign_in(settings(**PROVIDER))
    check_sign_in(settings())


def test_in_production_a_token_of_the_local_issuer_opens_nothing(tmp_path):
    """The key beside the services makes tokens for development only."""
    from chassis import identity

    folder = keys.create(tmp_path / "keys")
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="nurse-1", role="nurse")
    here = dataclasses.replace(settings(), keys_dir=folder)
    assert people_tokens(here).read(token).actor_id == "nurse-1"
    with pytest.raises(Refusal, match="token-for-development"):
        people_tokens(dataclasses.replace(here, mode="production")).read(token)


def test_the_development_issuer_starts_in_development_only():
    """Said to be production, not said at all, or on an address others can reach: it tells why and ends."""
    assert refusal("development", "127.0.0.1:1") == ""
    for mode, address in (("production", "127.0.0.1:1"), ("", "127.0.0.1:1"), ("development", "0.0.0.0:1")):
        assert refusal(mode, address)


def test_claims_are_found_by_name_by_path_and_by_url():
    """Keycloak nests roles, Entra lists them, others use URLs; names of roles are ours or mapped to ours."""
    keycloak = ClaimMap.of(("person=preferred_username", "role=realm_access.roles"), ("ED Nurse=nurse",))
    said = {"preferred_username": "ada", "realm_access": {"roles": ["offline_access", "ED Nurse", "system"]}}
    assert (keycloak.person(said), keycloak.roles(said)) == ("ada", {"nurse"})
    by_url = ClaimMap.of(("organization=https://kindred.example/org",), ())
    assert by_url.place({"https://kindred.example/org": ["er-1"]}, "organization") == "er-1"
    assert by_url.place({"https://kindred.example/org": ["er-1", "er-2"]}, "organization") == ""
    with pytest.raises(SettingsFaults, match="no role"):
        ClaimMap.of((), ("ED Nurse=queen",))
    with pytest.raises(SettingsFaults, match="none of"):
        ClaimMap.of(("color=blue",), ())


def test_whatever_the_provider_names_is_asked_on_the_public_network_only():
    """Its own host is the operator's word; another name that leads inside our walls is not asked, nor plain http."""
    inside = Fetcher("https://sign-in.example", lookup=lambda host, port: ["10.0.0.5"])
    for url in ("https://elsewhere.example/jwks", "http://sign-in.example/jwks", "https://169.254.169.254/"):
        with pytest.raises(Away):
            inside.get(url)


def test_a_fresh_sign_in_is_recent_and_strong_enough():
    """Minutes ago is fresh, an hour ago or never is not; a named context must be the one."""
    import time
    from datetime import timedelta

    now, within = time.time(), timedelta(minutes=5)
    require_fresh(Caller("ada", "nurse", "er", authenticated_at=now - 60), within)
    require_fresh(Caller("ada", "nurse", "er", authenticated_at=now, strength="mfa"), within, "mfa")
    for caller, strength in (
        (Caller("ada", "nurse", "er", authenticated_at=now - 3_600), ""),
        (Caller("ada", "nurse", "er"), ""),
        (Caller("ada", "nurse", "er", authenticated_at=now, strength="password"), "mfa"),
    ):
        with pytest.raises(Refusal, match="step-up-needed"):
            require_fresh(caller, within, strength)
