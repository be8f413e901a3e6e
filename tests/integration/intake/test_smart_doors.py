"""A hospital's system signs in by SMART Backend Services and does its work with that, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from services.intake.smart.assertions import TYPE
from tests.bundles import a_bundle
from tests.integration.intake.fhir_client import codes
from tests.integration.intake.intake_processes import Bus, Process, referral_of, until

REASONS = "https://kindred.example/fhir/CodeSystem/referral-reason"
PUBLIC = "https://kindred.example/fhir"
KEY = ECKey.generate_key("P-384", parameters={"kid": "k1", "use": "sig"})


class _Keys(BaseHTTPRequestHandler):
    """The hospital's own web server, with its public keys."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def key_server() -> Iterator[str]:
    """Where the keys are."""
    server = HTTPServer(("127.0.0.1", 0), _Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    server.shutdown()


@pytest.fixture(scope="module")
def intake_environ(intake_environ: dict[str, str], key_server: str, tmp_path_factory: Any) -> dict[str, str]:
    """Two systems are registered: one that does everything, one that only looks."""
    path: Path = tmp_path_factory.mktemp("smart") / "clients.json"
    named = {"organization": "er-mercy", "jwks_url": key_server}
    rows = [
        {"client_id": "mercy-ehr", "scopes": ["system/*.crus"], **named},
        {"client_id": "mercy-board", "scopes": ["system/Task.rs"], **named},
    ]
    path.write_text(json.dumps({"clients": rows}))
    smart = {"KINDRED_SMART_CLIENTS": str(path), "KINDRED_SMART_ALLOW_PRIVATE": "yes"}
    return intake_environ | smart | {"KINDRED_FHIR_PUBLIC_URL": PUBLIC}


@pytest.fixture(scope="module")
def base(api: Process) -> str:
    """Where intake is."""
    return f"http://127.0.0.1:{api.ready()['http_port']}"


def asked(base: str, client_id: str, scope: str, assertion_id: str, **changes: Any) -> httpx.Response:
    """The answer to a request for a token, made as SMART says."""
    told = httpx.get(f"{base}/fhir/.well-known/smart-configuration").json()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": told["token_endpoint"],
        "exp": int(time.time()) + 240,
        "jti": assertion_id,
    }
    header = {"alg": "ES384", "kid": "k1", "typ": "JWT"}
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": TYPE,
        "client_assertion": jwt.encode(header, claims, KEY, algorithms=["ES384"]),
    } | changes
    return httpx.post(f"{base}/auth/token", data=form, timeout=30)


def headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}


def test_a_system_signs_in_submits_polls_and_cancels(base: str, bus: Bus):
    """Discovery, assertion, token, Bundle, Task: with nothing but what the standards say; each step on record."""
    answer = asked(base, "mercy-ehr", "system/ServiceRequest.c system/Task.rus system/Patient.r", "a1")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("bearer", 300)
    assert told["scope"] == "system/ServiceRequest.c system/Task.rus"
    assert answer.headers["cache-control"] == "no-store"
    with httpx.Client(headers=headers(told["access_token"]), base_url=f"{base}/fhir", timeout=30) as client:
        made = client.post("", json=a_bundle("smart"))
        assert made.status_code == 200, made.text
        referral_id = referral_of(made)
        shown = client.get(f"/Task/{referral_id}")
        assert shown.status_code == 200, shown.text
        task = shown.json()
        assert task["requester"]["identifier"]["value"] == "er-mercy"
        reason = {"coding": [{"system": REASONS, "code": "no-longer-needed"}]}
        task |= {"status": "cancelled", "statusReason": reason}
        cancelled = client.put(f"/Task/{referral_id}", json=task, headers={"if-match": shown.headers["etag"]})
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text
        refused = client.get(f"/Consent/{referral_id}")
        assert (refused.status_code, codes(refused)) == (403, ["scope-missing"])
    issued = until("on record", lambda: bus.said("token.issued.v1", client_id="mercy-ehr"))
    assert list(issued[0].scopes) == ["system/ServiceRequest.c", "system/Task.rus"]
    assert issued[0].provenance.organization_id == "er-mercy"


def test_a_bundle_a_condition_and_a_preference_open_no_more_than_the_paths(base: str):
    """Who may only create cannot correct by a PUT in a Bundle, search by a condition, or read by a preference."""
    whole = asked(base, "mercy-ehr", "system/*.crus", "e1").json()["access_token"]
    narrow = asked(base, "mercy-ehr", "system/ServiceRequest.c system/Task.u", "e2").json()["access_token"]
    with httpx.Client(base_url=f"{base}/fhir", timeout=30) as client:
        made = client.post("", json=a_bundle("narrow"), headers=headers(narrow))
        assert made.status_code == 200, made.text
        referral_id = referral_of(made)
        again = a_bundle("narrow")
        for entry in again["entry"]:
            if entry["resource"]["resourceType"] == "ServiceRequest":
                url = f"ServiceRequest/{referral_id}"
                entry["request"] = {"method": "PUT", "url": url, "ifMatch": 'W/"1"'}
        refused = client.post("", json=again, headers=headers(narrow))
        assert (refused.status_code, codes(refused)) == (403, ["scope-missing"]), refused.text
        condition = {"if-none-exist": "status=active", "prefer": "return=representation"}
        order = next(
            one["resource"] for one in again["entry"] if one["resource"]["resourceType"] == "ServiceRequest"
        )
        searched = client.post("/ServiceRequest", json=order, headers=headers(narrow) | condition)
        assert (searched.status_code, codes(searched)) == (403, ["scope-missing"])
        patch = [{"op": "replace", "path": "/status", "value": "requested"}]
        asked_for = {"content-type": "application/json-patch+json", "prefer": "return=representation"}
        version = client.get(f"/Task/{referral_id}", headers=headers(whole)).headers["etag"]
        told = headers(narrow) | asked_for | {"if-match": version}
        guess = json.dumps([{"op": "test", "path": "/status", "value": "draft"}, *patch])
        guessed = client.patch(f"/Task/{referral_id}", content=guess, headers=told)
        assert (guessed.status_code, codes(guessed)) == (403, ["scope-missing"]), "a test tells what is there"
        for token, has_body in ((narrow, False), (whole, True)):
            told = headers(token) | asked_for | {"if-match": version}
            patched = client.patch(f"/Task/{referral_id}", content=json.dumps(patch), headers=told)
            assert (patched.status_code, bool(patched.content)) == (200, has_body), patched.text


def test_an_assertion_signs_in_once_and_each_no_is_on_record(base: str, bus: Bus):
    """The second use, an unknown client and a scope nobody registered get OAuth's words; the trail has the reasons."""
    assert asked(base, "mercy-board", "system/Task.rs", "b1").status_code == 200
    again = asked(base, "mercy-board", "system/Task.rs", "b1")
    unknown = asked(base, "mercy-spy", "system/Task.rs", "b2")
    beyond = asked(base, "mercy-board", "system/Consent.u", "b3")
    told = [(one.status_code, one.json()["error"]) for one in (again, unknown, beyond)]
    assert told == [(401, "invalid_client"), (401, "invalid_client"), (400, "invalid_scope")]
    assert again.json() == unknown.json()
    wanted = {"assertion-used", "client-unknown", "scope-not-registered"}
    until("on record", lambda: wanted <= {one.reason_code for one in bus.said("access.denied.v1")})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "secret"}, "invalid_request"),
        ({"client_assertion": ""}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
    ],
)
def test_a_request_that_is_wrong_is_told_in_the_words_of_oauth(
    base: str, changes: dict[str, str], error: str
):
    """RFC 6749 section 5.2."""
    form = {"scope": "system/Task.rs"} | changes
    answer = asked(base, "mercy-ehr", assertion_id=f"c-{changes}", **form)
    assert answer.json()["error"] == error


def test_a_token_of_the_fhir_door_opens_no_other(base: str, api: Process):
    """gRPC and the desk do not know its issuer; one that was tampered with opens nothing at all."""
    token = asked(base, "mercy-ehr", "system/*.crus", "d1").json()["access_token"]
    with grpc.insecure_channel(f"127.0.0.1:{api.ready()['grpc_port']}") as channel:
        stub = intake_pb2_grpc.IntakeServiceStub(channel)
        metadata = [("authorization", f"Bearer {token}"), ("x-purpose-of-use", "TREAT")]
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetReferral(intake_pb2.GetReferralRequest(referral_id="ref_x"), metadata=metadata, timeout=5)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert httpx.get(f"{base}/fhir/Task", headers=headers(token)).status_code == 200
    spoiled = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert httpx.get(f"{base}/fhir/Task", headers=headers(spoiled)).status_code == 401
