"""Every kind of refusal in every protocol, and the way back from a gRPC status."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import code_pb2
from grpc_status import rpc_status
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError
from starlette.requests import Request

from chassis import answers, errors
from chassis.errors import Fault, Kind, Refusal
from chassis.http_requests import render_plain, rendered
from chassis.rich_status import internal_status, refusal_status, refused


class Answered(grpc.RpcError):
    """A call that ended with a status, as a client sees it."""

    def __init__(self, status: Any) -> None:
        self._status = rpc_status.to_status(status)

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> Any:
        return self._status.trailing_metadata


@pytest.mark.parametrize(
    "table", [errors.GRPC_STATUS, errors.HTTP_STATUS, errors.OUTCOME_TYPE, errors.HL7_ERR, errors.WORKER_END]
)
def test_every_kind_is_in_every_table(table: dict[Kind, object]) -> None:
    """No kind of refusal is without an answer in any protocol."""
    assert set(table) == set(Kind)


def test_two_kinds_never_share_a_status() -> None:
    """A client can tell the kinds apart by the status alone."""
    assert len(set(errors.GRPC_STATUS.values())) == len(Kind)
    assert len(set(errors.HTTP_STATUS.values())) == len(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_refusal_survives_the_way_to_a_grpc_client(kind: Kind) -> None:
    """Code, kind, message, faults, facts and time to wait arrive as they were raised."""
    sent = Refusal(
        "consent-missing",
        kind,
        "A consent is needed.",
        faults=[Fault("consent.signed_at", "required", "Say when it was signed.")],
        retry_after_s=7,
        referral_id="ref_1",
        attempts=3,
    )
    status = refusal_status(sent)
    assert code_pb2.Code.Name(status.code) == errors.GRPC_STATUS[kind]
    got = refused(Answered(status))
    assert (got.code, got.kind, got.message, got.faults) == (sent.code, kind, sent.message, sent.faults)
    assert (got.retry_after_s, got.facts) == (7, {"referral_id": "ref_1", "attempts": "3"})


@pytest.mark.parametrize("kind", list(Kind))
def test_a_refusal_in_http_has_its_status_and_headers(kind: Kind) -> None:
    """The status is the table's; 401 says how to sign in; a time to wait is a header."""
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    response = rendered(render_plain, request, Refusal("some-code", kind, retry_after_s=4))
    assert response.status_code == errors.HTTP_STATUS[kind]
    assert response.headers["retry-after"] == "4"
    assert ("www-authenticate" in response.headers) == (kind is Kind.UNAUTHENTICATED)


def test_a_renderer_that_breaks_does_not_hide_the_refusal() -> None:
    """A bug in a service's own error page still leaves the right status and code."""

    def broken(request: Request, refusal: Refusal) -> Any:
        raise KeyError("page")

    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    response = rendered(broken, request, Refusal("some-code", Kind.FORBIDDEN))
    assert response.status_code == 403
    assert b"some-code" in response.body


@pytest.mark.parametrize(
    "error", [AutoReconnect("x"), ServerSelectionTimeoutError("x"), ConnectionResetError(), TimeoutError()]
)
def test_trouble_outside_says_when_to_try_again(error: Exception) -> None:
    """A database or socket that is away is no bug: UNAVAILABLE with a time to wait."""
    refusal = answers.refusal_for(error)
    assert refusal is not None
    assert refusal.kind is Kind.UNAVAILABLE
    assert 1 <= (refusal.retry_after_s or 0) <= 5


def test_a_bug_is_not_taken_for_trouble_outside() -> None:
    """A KeyError is not answered with "try again"."""
    assert answers.refusal_for(KeyError("x")) is None


def test_an_internal_error_tells_its_id_only() -> None:
    """INTERNAL carries an error id and no other fact."""
    got = refused(Answered(internal_status("err_1")))
    assert (got.code, got.facts, got.faults) == ("internal", {"error_id": "err_1"}, ())


@pytest.mark.parametrize("kind", [Kind.UNAUTHENTICATED, Kind.FORBIDDEN])
def test_a_denial_that_cannot_be_audited_stays_a_denial(kind: Kind) -> None:
    """Trouble in the audit write never turns a refusal into anything else."""

    def broken(*_: object) -> None:
        raise AutoReconnect("away")

    refusal = Refusal("role-not-allowed", kind)
    answers.note_refusal(refusal, refusal, None, "Some/Method", broken)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_LARGE}))
def test_only_what_was_turned_away_at_the_door_is_audited_there(kind: Kind) -> None:
    """An invalid or conflicting request is no denial of access; the service records it, if it does."""
    seen: list[object] = []
    refusal = Refusal("some-code", kind)
    answers.note_refusal(refusal, refusal, None, "Some/Method", lambda *denial: seen.append(denial))
    assert seen == []
