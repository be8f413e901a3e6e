"""Attacks on the sign-in of people: each lets nobody in, and is told by its own code."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time

import pytest
from joserfc.jwk import ECKey

from chassis.clock import SystemClock
from chassis.errors import Refusal
from chassis.oidc.attempts import Attempts, challenge_of
from chassis.oidc.bearer import PeopleTokens, ProviderTokens
from chassis.oidc.claims import ClaimMap
from chassis.oidc.tokens import Judge
from tests.security.provider_of_lies import BACK, CLIENT, ISSUER, Lies, a_party, begun

BROWSER, OTHER = "b" * 43, "o" * 43


@pytest.fixture(scope="module")
def attempts(mongo_client):
    """One collection for this file."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield Attempts(mongo_client[name], SystemClock(), "desk")
    mongo_client.drop_database(name)


@pytest.fixture
def lies():
    """A provider that is honest until told otherwise."""
    return Lies()


def came_back(lies: Lies, attempts: Attempts, *, fresh_for: str = "", strength: str = ""):
    """Somebody went and came back."""
    party = a_party(lies, attempts, strength=strength)
    asked = begun(lies, party.begin(BROWSER, "/desk", fresh_for=fresh_for))
    return party.finish(BROWSER, {"code": "c", "state": asked["state"]})


def refused(lies: Lies, attempts: Attempts, **how) -> str:
    """The code of the refusal."""
    with pytest.raises(Refusal) as no:
        came_back(lies, attempts, **how)
    return no.value.code


def test_an_honest_sign_in_is_somebody(lies, attempts):
    """The check of all the others: what is right is believed, and PKCE's verifier fits its challenge."""
    party = a_party(lies, attempts)
    asked = begun(lies, party.begin(BROWSER, "/desk/new"))
    arrival = party.finish(BROWSER, {"code": "c", "state": asked["state"], "iss": ISSUER})
    assert (arrival.person, arrival.roles, arrival.organization) == ("nurse-ada", {"nurse"}, "er-st-brigid")
    assert arrival.next_path == "/desk/new" and asked["redirect_uri"] == BACK
    assert challenge_of(lies.posted["code_verifier"]) == asked["code_challenge"]
    assert asked["code_challenge_method"] == "S256" and asked["response_type"] == "code"


NOW = int(time.time())
LIES = [
    ({"nonce": "another"}, "id-token-nonce"),
    ({"nonce": None}, "id-token-nonce"),
    ({"iss": "https://evil.example"}, "token-issuer"),
    ({"aud": "another-client"}, "id-token-audience"),
    ({"aud": [CLIENT, "another-client"]}, "id-token-audience"),
    ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "id-token-audience"),
    ({"azp": "another-client"}, "id-token-audience"),
    ({"exp": NOW - 400}, "token-expired"),
    ({"exp": None}, "token-expired"),
    ({"exp": "never"}, "token-expired"),
    ({"iat": NOW - 7_200}, "token-expired"),
    ({"iat": NOW + 3_600, "exp": NOW + 7_200}, "token-early"),
    ({"nbf": NOW + 3_600}, "token-early"),
    ({"at_hash": "A" * 22}, "id-token-hash"),
    ({"sub": ""}, "id-token-subject"),
    ({"sub": "a name with spaces"}, "person-unknown"),
]


@pytest.mark.parametrize(("claims", "code"), LIES)
def test_an_id_token_that_lies_lets_nobody_in(lies, attempts, claims, code):
    """Nonce, issuer, audience, party, times, hash and subject: each wrong one is found."""
    lies.claims = claims
    assert refused(lies, attempts) == code


def test_no_algorithm_but_the_listed_ones(lies, attempts):
    """alg none, a public key used as a shared secret, and a header that demands the unknown are refused."""
    party = a_party(lies, attempts)
    for made in (_unsigned, _signed_with_the_public_key):
        asked = begun(lies, party.begin(BROWSER, "/desk"))
        lies.token = made(lies)
        with pytest.raises(Refusal) as no:
            party.finish(BROWSER, {"code": "c", "state": asked["state"]})
        assert no.value.code == "token-algorithm"


def _signed_with_the_public_key(lies: Lies) -> str:
    """HS256, the secret being what everybody can fetch; libraries of today refuse to, so by hand."""
    header = _encoded({"alg": "HS256", "kid": "rsa"})
    signed = f"{header}.{lies.id_token().split('.')[1]}"
    mark = hmac.digest(lies.a_public_key_as_secret(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def _unsigned(lies: Lies) -> str:
    return f"{_encoded({'alg': 'none', 'kid': 'one'})}.{lies.id_token().split('.')[1]}."


def _encoded(said: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def test_a_key_that_is_not_the_providers_signs_nothing(lies, attempts):
    """The same key id, another key."""
    held = lies.keys["one"]
    party = a_party(lies, attempts)
    assert party.provider.key("one") is not None
    lies.keys["one"] = ECKey.generate_key("P-256", {"kid": "one"})
    asked = begun(lies, party.begin(BROWSER, "/desk"))
    with pytest.raises(Refusal, match="token-invalid"):
        party.finish(BROWSER, {"code": "c", "state": asked["state"]})
    lies.keys["one"] = held


def test_a_rotated_key_is_found_and_nonsense_does_not_make_us_ask(lies):
    """A new key id asks the provider again; ids that nobody has do so once in fifteen seconds."""
    provider = lies.provider()
    assert provider.key("one") is not None
    lies.keys["two"] = ECKey.generate_key("P-256", {"kid": "two"})
    lies.now += 20
    assert provider.key("two") is not None
    before = len(lies.asked)
    assert [provider.key(f"nonsense-{n}") for n in range(50)] == [None] * 50
    assert len(lies.asked) == before
    lies.is_away = True
    assert provider.key("two") is not None


def test_a_state_or_a_code_works_once_and_in_the_browser_that_began(lies, attempts):
    """Replayed, taken to another browser, made up or missing: the sign-in is lost."""
    party = a_party(lies, attempts)
    asked = begun(lies, party.begin(BROWSER, "/desk"))
    for browser, state in (
        (OTHER, asked["state"]),
        (BROWSER, "made-up"),
        ("", asked["state"]),
        (BROWSER, ""),
    ):
        with pytest.raises(Refusal, match="sign-in-lost"):
            party.finish(browser, {"code": "c", "state": state})
    assert party.finish(BROWSER, {"code": "c", "state": asked["state"]}).person == "nurse-ada"
    with pytest.raises(Refusal, match="sign-in-lost"):
        party.finish(BROWSER, {"code": "c", "state": asked["state"]})
    lies.code_error = "invalid_grant"
    assert refused(lies, attempts) == "sign-in-code-refused"


def test_a_code_of_another_issuer_is_not_taken_to_ours(lies, attempts):
    """RFC 9207: a wrong `iss`, or none where the provider promised one, asks the token endpoint nothing."""
    party = a_party(lies, attempts)
    asked = begun(lies, party.begin(BROWSER, "/desk"))
    with pytest.raises(Refusal, match="sign-in-mixed-up"):
        party.finish(BROWSER, {"code": "c", "state": asked["state"], "iss": "https://evil.example"})
    assert not hasattr(lies, "posted")
    lies.metadata = {"authorization_response_iss_parameter_supported": True}
    assert refused(asked_anew(lies), attempts) == "sign-in-mixed-up"


def asked_anew(lies: Lies) -> Lies:
    """The same provider, asked for the first time."""
    other = Lies()
    other.metadata = lies.metadata
    return other


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://sign-in.hospital.example/token"},
        {"jwks_uri": None},
    ],
)
def test_a_discovery_document_of_somebody_else_is_none(lies, attempts, metadata):
    """Another issuer's, one that leads out of TLS, and half a one are as no answer."""
    lies.metadata = metadata
    assert refused(lies, attempts) == "sign-in-away"


def test_a_step_up_asks_for_a_new_sign_in_and_believes_nothing_older(lies, attempts):
    """prompt, max_age and acr_values go along; an old auth_time, none, a weak acr and another person are refused."""
    party = a_party(lies, attempts, strength="mfa")
    asked = begun(lies, party.begin(BROWSER, "/console", fresh_for="nurse-ada"))
    assert (asked["prompt"], asked["max_age"], asked["acr_values"]) == ("login", "0", "mfa")
    how = {"fresh_for": "nurse-ada", "strength": "mfa"}
    for claims, code in (
        ({"auth_time": NOW - 3_600, "acr": "mfa"}, "sign-in-not-fresh"),
        ({"auth_time": None, "acr": "mfa"}, "sign-in-not-fresh"),
        ({"acr": "password"}, "sign-in-too-weak"),
        ({"acr": "mfa", "sub": "nurse-otto"}, "step-up-other-person"),
    ):
        lies.claims = claims
        assert refused(lies, attempts, **how) == code
    lies.claims = {"acr": "mfa"}
    arrival = came_back(lies, attempts, **how)
    assert arrival.is_step_up and arrival.strength == "mfa" and time.time() - arrival.authenticated_at < 60


def test_the_store_of_attempts_tells_a_thief_nothing(lies, attempts):
    """Neither state, nonce, verifier nor where somebody wanted to go can be read there."""
    party = a_party(lies, attempts)
    asked = begun(lies, party.begin(BROWSER, "/console?patient=peer_rosa"))
    rows = str(list(attempts._rows.find()))
    party.finish(BROWSER, {"code": "c", "state": asked["state"]})
    secret = (asked["state"], asked["nonce"], lies.posted["code_verifier"], "peer_rosa", BROWSER)
    assert not [one for one in secret if one in rows]


def test_an_id_token_opens_no_api_and_only_the_provider_is_believed(lies):
    """A bearer token is for our audience, without a nonce, of one role; in production the local issuer's is refused."""
    reader = ProviderTokens(Judge(lies.provider()), ClaimMap.of((), ()), "kindred")
    people = PeopleTokens(None, reader, ISSUER)
    good = lies.id_token(aud="kindred", nonce=None)
    assert people.read(good, "BTG").purpose_of_use == "BTG"
    for token, code in (
        (lies.id_token(), "token-invalid"),
        (lies.id_token(aud="kindred"), "token-invalid"),
        (lies.id_token(aud="kindred", nonce=None, exp=NOW - 400), "token-expired"),
        (lies.id_token(aud="kindred", nonce=None, role=["nurse", "compliance"]), "role-ambiguous"),
        (lies.id_token(aud="kindred", nonce=None, role="system"), "role-missing"),
        (lies.id_token(aud="kindred", nonce=None, iss="kindred-local"), "token-for-development"),
        ("a.b.c", "token-invalid"),
    ):
        with pytest.raises(Refusal) as no:
            people.read(token)
        assert no.value.code == code
