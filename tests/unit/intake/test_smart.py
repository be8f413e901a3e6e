"""SMART scopes and assertions: what is granted is never more than was asked and registered; nothing unproven gets in."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from chassis.errors import Refusal
from chassis.identity import Caller
from services.intake.fhir import scoped
from services.intake.fhir.server import SERVED
from services.intake.smart import clients, scopes
from services.intake.smart.assertions import Unproven, prove
from services.intake.smart.clients import Clients, Unusable
from services.intake.smart.key_sets import KeySets, keys_of

AUDIENCE = "https://kindred.example/auth/token"
NOW = 1_800_000_000
EC = ECKey.generate_key("P-384", parameters={"kid": "ec-1", "use": "sig"})
RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa-1", "use": "sig"})
WEAK = RSAKey.generate_key(1024, parameters={"kid": "weak", "use": "sig"})
SCOPES = st.lists(
    st.one_of(
        st.sampled_from(
            ["system/*.*", "system/*.read", "system/Task.write", "system/Consent.rs", "system/Task.u"]
        ),
        st.text("syTak/.*crud", max_size=14),
    ),
    max_size=4,
)


def a_row(**changes):
    jwks = {"keys": [EC.as_dict(private=False), RSA.as_dict(private=False)]}
    row = {
        "client_id": "mercy",
        "organization": "er-mercy",
        "scopes": ["system/*.crus"],
        "jwks": jwks,
    } | changes
    return {name: value for name, value in row.items() if value is not None}


@pytest.fixture
def known(tmp_path):
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"clients": [a_row()]}))
    return Clients(str(path))


def an_assertion(key=EC, alg="ES384", header=None, **changes):
    claims = {
        "iss": "mercy",
        "sub": "mercy",
        "aud": AUDIENCE,
        "exp": NOW + 240,
        "jti": "one",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    told = {"alg": alg, "kid": key.kid, "typ": "JWT"} | (header or {})
    return jwt.encode({name: value for name, value in told.items() if value}, claims, key, algorithms=[alg])


def proven(assertion, known, fetch=None):
    return prove(assertion, known, KeySets(fetch or (lambda _: b"")), AUDIENCE, lambda: NOW)


@given(SCOPES, SCOPES)
def test_what_is_granted_was_asked_and_is_registered(asked, registered):
    """Never more, never less, and said in scopes that mean the same when they are read again."""
    wanted, may = (frozenset().union(*map(scopes.allowed, one)) for one in (asked, registered))
    given_now = scopes.granted(asked, registered)
    assert frozenset().union(*map(scopes.allowed, given_now)) == wanted & may
    assert all(scope.startswith("system/") for scope in given_now)


def test_scopes_of_both_versions_mean_what_smart_says():
    """read is rs, write is cud, and letters stand in their order."""
    assert scopes.granted(["system/*.read"], ["system/*.cruds"]) == [
        f"system/{name}.rs" for name in scopes.TYPES
    ]
    assert scopes.granted(["system/Task.write"], ["system/Task.*"]) == ["system/Task.cud"]
    assert not any(
        map(scopes.allowed, ["user/Task.rs", "system/Task.sr", "system/Task.", "launch", "openid"])
    )


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES384"), (RSA, "RS384")])
def test_both_algorithms_of_smart_are_taken(known, key, alg):
    """The client is the one that is registered, and the assertion is known by its id."""
    found = proven(an_assertion(key, alg), known)
    assert (found.client.organization_id, found.assertion_id) == ("er-mercy", "one")


SPOILED = {
    "client-unknown": {"iss": "nobody"},
    "subject-not-issuer": {"sub": "other"},
    "audience-other": {"aud": "https://elsewhere.example/auth/token"},
    "assertion-expired": {"exp": NOW - 31},
    "assertion-too-long": {"exp": NOW + 331},
    "times-unreadable": {"exp": "soon"},
    "assertion-id-missing": {"jti": "a\x00b"},
    "key-unknown": {"header": {"kid": "ec-2"}},
    "assertion-header": {"header": {"kid": None}},
    "key-address-not-registered": {"header": {"jku": "https://evil.example/jwks"}},
}


@pytest.mark.parametrize("code", SPOILED)
def test_each_thing_that_is_wrong_with_an_assertion_is_told_by_its_code(known, code):
    """One fault at a time."""
    with pytest.raises(Unproven) as told:
        proven(an_assertion(**SPOILED[code]), known)
    assert told.value.code == code


def test_a_signature_of_another_key_and_other_algorithms_prove_nothing(known):
    """The right key id on a stranger's key; a secret in place of a key pair; no signature at all; rubbish."""
    stranger = ECKey.generate_key("P-384", parameters={"kid": "ec-1"})
    shared = OctKey.import_key("x" * 48, {"kid": "ec-1"})
    unsigned = an_assertion().rsplit(".", 1)[0] + "."
    spoiled = [
        (an_assertion(stranger), "signature-invalid"),
        (an_assertion(shared, "HS384"), "assertion-header"),
        (unsigned, "signature-invalid"),
        ("a.b.c", "assertion-unreadable"),
        ("x" * 9_000, "assertion-unreadable"),
        ("é.é.é", "assertion-unreadable"),
        ("", "assertion-unreadable"),
    ]
    for assertion, code in spoiled:
        with pytest.raises(Unproven) as told:
            proven(assertion, known)
        assert told.value.code == code


@given(st.text(max_size=60))
def test_no_text_is_more_than_unproven(text):
    """Whatever is sent in place of an assertion, the answer is the same kind of no."""
    with pytest.raises(Unproven):
        proven(text, Clients(""))


def test_weak_private_and_other_keys_are_not_taken():
    """RSA under 2,048 bits, private parts, keys for encryption, symmetric ones and rubbish are left out."""
    rows = [
        WEAK.as_dict(private=False),
        EC.as_dict(private=True),
        {**RSA.as_dict(private=False), "use": "enc"},
        OctKey.import_key("x" * 48, {"kid": "s"}).as_dict(),
        {"kty": "EC", "kid": "half"},
        "rubbish",
    ]
    assert keys_of({"keys": rows}) == {} == keys_of([]) == keys_of({"keys": 3})


def test_a_rotated_key_is_found_at_its_first_use_and_an_unknown_one_asks_seldom():
    """The address is asked again for a key it did not have, but not for every piece of nonsense."""
    served, asked, clock = [EC], [], [0.0]

    def fetch(url):
        asked.append(url)
        return json.dumps({"keys": [key.as_dict(private=False) for key in served]}).encode()

    client = clients.Client("mercy", "er-mercy", ("system/*.r",), jwks_url="https://mercy.example/jwks")
    key_sets = KeySets(fetch, lambda: clock[0])
    assert key_sets.key(client, "ec-1") is not None
    served.append(RSA)
    for _ in range(3):
        assert key_sets.key(client, "rsa-1") is None
    assert len(asked) == 1
    clock[0] = 16.0
    assert key_sets.key(client, "rsa-1") is not None and len(asked) == 2
    served.clear()
    clock[0] = 400.0
    assert key_sets.key(client, "ec-1") is None


def test_keys_that_cannot_be_fetched_are_no_verdict():
    """The client may try again; it is not told that it is unknown."""
    client = clients.Client("mercy", "er-mercy", ("system/*.r",), jwks_url="https://mercy.example/jwks")

    def unreachable(url):
        raise OSError

    with pytest.raises(Refusal, match="jwks-unreachable") as told:
        KeySets(unreachable).key(client, "ec-1")
    assert told.value.retry_after_s


def test_a_key_server_that_hangs_holds_one_request_and_nobody_elses():
    """While one waits for it, others asking for it are told so at once, and other clients are served."""
    hanging, free, asked = threading.Event(), threading.Event(), []

    def fetch(url):
        asked.append(url)
        if "slow" in url:
            hanging.set()
            assert free.wait(20)
            raise OSError
        return json.dumps({"keys": [EC.as_dict(private=False)]}).encode()

    slow, quick = (
        clients.Client(name, "er", ("system/*.r",), jwks_url=f"https://{name}.example/k")
        for name in ("slow", "quick")
    )
    clock = [0.0]
    key_sets = KeySets(fetch, lambda: clock[0])

    def wait_for_it():
        with pytest.raises(Refusal, match="jwks-unreachable"):
            key_sets.key(slow, "ec-1")

    first = threading.Thread(target=wait_for_it)
    first.start()
    assert hanging.wait(20)
    for _ in range(3):
        with pytest.raises(Refusal, match="jwks-unreachable"):
            key_sets.key(slow, "ec-1")
    assert key_sets.key(quick, "ec-1") is not None
    free.set()
    first.join(20)
    with pytest.raises(Refusal, match="jwks-unreachable"):
        key_sets.key(slow, "ec-1")
    assert asked.count("https://slow.example/k") == 1
    clock[0] = 11.0
    with pytest.raises(Refusal, match="jwks-unreachable"):
        key_sets.key(slow, "ec-1")
    assert asked.count("https://slow.example/k") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"organization": None},
        {"scopes": []},
        {"scopes": ["user/Task.r"]},
        {"purpose": "CURIOSITY"},
        {"jwks": None},
        {"jwks_url": "https://a.example/jwks"},
        {"secret": "s3cret"},
        {"purpose": ["TREAT"]},
        {"scopes": 5},
        {"jwks": None, "jwks_url": 5},
    ],
)
def test_a_registration_that_is_wrong_says_where(changes):
    """The message names the client by its number; whoever else is in the file is let in all the same."""
    text = json.dumps({"clients": [a_row(**changes), a_row(client_id="good")]})
    [good], [fault] = clients.read(text)
    assert good.client_id == "good" and fault.startswith("Client 1 ")


def test_two_clients_of_one_id_are_nobody():
    """Which of them would be meant is not ours to guess."""
    found, faults = clients.read(
        json.dumps({"clients": [a_row(), a_row(organization="er-other"), a_row(client_id="x")]})
    )
    assert [one.client_id for one in found] == ["x"] and len(faults) == 1
    for text in ("", "[]", '{"clients": 3}'):
        with pytest.raises(Unusable):
            clients.read(text)


def test_the_file_is_read_again_and_a_broken_one_locks_nobody_out(tmp_path):
    """A client that is struck out is out at its next sign-in; a half-written file changes nothing."""
    path = tmp_path / "clients.json"
    known = Clients(str(path))
    assert known.find("mercy") is None
    path.write_text(json.dumps({"clients": [a_row()]}))
    assert known.find("mercy") is not None
    path.write_text('{"clients": [')
    assert known.find("mercy") is not None
    path.write_text(
        json.dumps({"clients": [a_row(client_id="other"), a_row(client_id="bad", scopes=["all"])]})
    )
    assert known.find("mercy") is None and known.find("other") is not None and known.find("bad") is None


def test_every_served_path_has_its_scope():
    """A path without one would be a KeyError here before it is an open door; a person's token needs none."""
    for path, answers in SERVED.items():
        for method in answers:
            wanted = scoped.needed(path, method)
            assert wanted is None or (wanted[0] in scopes.TYPES and wanted[1] in scopes.LETTERS)
            scoped.check(Caller("nurse", "nurse", "er"), path, method)
            if wanted:
                with pytest.raises(Refusal, match="scope-missing"):
                    scoped.check(Caller("mercy", "system", "er", scopes=("system/X.r",)), path, method)


def test_the_supported_scopes_are_what_the_paths_need():
    """What is announced is what is served, no more and no less."""
    needed = {scoped.needed(path, method) for path, answers in SERVED.items() for method in answers} - {None}
    assert frozenset().union(*map(scopes.allowed, scopes.SUPPORTED)) == needed
