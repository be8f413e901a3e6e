"""Hostile requests against a running intake: spoiled sendings, and any method on any path with any words."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.local import keys
from services.intake.fhir.server import SERVED
from tests.conformance.hostile import driving
from tests.conformance.hostile.driving import Outcome, Target
from tests.conformance.hostile.mutating import HEADERS, Sending, a_sending
from tests.integration.intake.intake_processes import Er, running

COUNT, CLIENTS, SEED = 500, 4, 7
EXAMPLES = 150
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "GARBAGE")
DESK = (
    "/desk",
    "/desk/",
    "/desk/sign-in",
    "/desk/new",
    "/desk/referrals/ref-1",
    "/desk/events",
    "/desk/assets/x",
)


@pytest.fixture(scope="module")
def hostile_database(mongo_client: Any) -> Iterator[Any]:
    """A database for this module alone: what is in it afterwards was told, and nothing else."""
    name = f"kindred_test_{secrets.token_hex(6)}"
    yield mongo_client[name]
    mongo_client.drop_database(name)


@pytest.fixture(scope="module")
def target(
    hostile_database: Any, mongo_uri: str, amqp_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """A running intake, and a hospital's system that calls it."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    keys_dir = keys.create(folder / "keys")
    environ = {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": hostile_database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(keys_dir),
    }
    headers = Er("", (keys_dir / "issuer.pem").read_bytes()).headers()
    with running("api", environ, folder) as process:
        yield Target(process.ready()["http_port"], lambda: headers)
        assert [line for line in process.lines() if line.get("level") in ("error", "critical")] == []


def test_spoiled_sendings_break_nothing_and_leave_nothing_half(target: Target, hostile_database: Any):
    """P11: no 5xx, every refusal is an OperationOutcome with codes, and what is stored is what was told."""
    outcome = driving.run(target, partial(a_sending, SEED), COUNT, CLIENTS)
    assert outcome.wrong == []
    assert driving.afterwards(target, hostile_database, outcome, 20) == []
    assert len(outcome.told) > COUNT / 50, "too few were good enough to be stored: the check would be empty"
    assert len(outcome.codes) > 20, "too few kinds of faults were met"


PATHS = st.one_of(
    st.sampled_from(
        [
            "/fhir" + path.replace("{id}", one).replace("{version}", "1")
            for path in SERVED
            for one in ("ref-1", "%2e%2e")
        ]
    ),
    st.sampled_from(["/fhir/metadata", "/healthz", "/readyz", "/metrics", "/", *DESK]),
    st.lists(st.text("abRT$_.-%20{}~é", min_size=1, max_size=12), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            ("_id", "status", "patient", "identifier", "authored-on", "_count", "_lastUpdated", "owner", "_format",
             "_cursor", "_getpages", "requester", "_include", "_sort", "x", "status:not")
        ),
        st.one_of(
            st.text(max_size=20),
            st.sampled_from(("requested", "gt2020", "lt", "1e9", "-1", "a|b|c", "|", ",", "Patient/x", "xml", "0")),
        ),
    ),
    max_size=3,
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=10)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(("resourceType", "id", "status", "entry", "type", "extension", "x")), inner, max_size=3
            ),
        ),
        max_leaves=8,
    ).map(lambda tree: json.dumps(tree).encode()),
    st.sampled_from(
        (b'{"resourceType":"Task","id":"ref-1","status":"cancelled","intent":"order"}',
         b'[{"op":"replace","path":"/status","value":"cancelled"}]', b"status=requested&_count=1",
         b'{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Bundle"}}]}')
    ),
)  # fmt: skip
WORDS = st.dictionaries(
    st.sampled_from(
        (*HEADERS, "Authorization", "Cookie", "Origin", "Range", "Expect-CT", "Content-Encoding")
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
        st.sampled_from([value for values in HEADERS.values() for value in values]),
        st.sampled_from(("Bearer x", "Bearer ..", "Basic eDp5", "bytes=0-", "gzip", "session=x; desk=y")),
    ),
    max_size=3,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(method=st.sampled_from(METHODS), path=PATHS, query=QUERIES, words=WORDS, body=BODIES)
def test_any_request_gets_an_answer_that_is_no_fault_of_ours(
    target: Target, method: str, path: str, query: list[tuple[str, str]], words: dict[str, str], body: bytes
):
    """Any method on any path, with any query, headers and body: an answer below 500, and FHIR where it is FHIR."""
    status, kind, answered = _asked(target, method, _url(path, query), words, body)
    assert status < 500, (status, answered[:300])
    if path.startswith("/fhir/") and "fhir+json" in kind and answered:
        assert driving.wrong_with(status, answered)[0] == []


def _url(path: str, query: list[tuple[str, str]]) -> str:
    return quote(path, safe="/%$~") + ("?" + urlencode(query) if query else "")


def _asked(
    target: Target, method: str, url: str, words: dict[str, str], body: bytes
) -> tuple[int, str, bytes]:
    way = http.client.HTTPConnection("127.0.0.1", target.port, timeout=driving.TIMEOUT_S)
    try:
        headers = target.headers() | {"Content-Type": "application/fhir+json"} | words
        way.request(method, url, body, {name: value.encode("latin-1") for name, value in headers.items()})
        answer = way.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read(1_000_000)
    finally:
        way.close()


def test_a_wrong_answer_would_be_noticed():
    """The fuzzer's own check: a 5xx, a page, a refusal without a code and an answer that is no R4 are all wrong."""
    outcome = Outcome()
    for status, body in (
        (500, b"{}"),
        (400, b"<html>"),
        (400, b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}'),
        (200, b'{"resourceType":"Task"}'),
        (400, b'{"resourceType":"Patient"}'),
        (404, b""),
    ):
        before = len(outcome.wrong)
        outcome.note("x", Sending("/fhir", b""), status, body, "")
        assert len(outcome.wrong) > before, (status, body)
