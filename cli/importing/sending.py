"""The three doors a piece can go through: FHIR over HTTP, a row over gRPC, a message over MLLP."""

import http.client
import json
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cli.commands import referrals
from cli.importing import csv_rows
from cli.importing.pieces import End, Form, Outcome, Piece, PieceFault, Unavailable
from cli.reach import Reach

CALL_S = 15.0
PATIENCE_S = 60.0  # how long a door may be away before the run stops and says so
_TOKEN_S = 600.0
_LONGEST_PAUSE_S = 5.0
_MLLP_BEGIN, _MLLP_END = b"\x0b", b"\x1c\r"
_MOST_ANSWER_BYTES = 1_000_000
_NOT_THERE = frozenset({"referral-unknown", "referral-not-found"})
_LOCKED = "206"  # table 0357: not now
_SINGLE = frozenset({"ServiceRequest", "Task"})
_OK = 200
_BUSY = frozenset({429, 502, 503, 504})


class Doors:
    """Every door, with one token for ten minutes and connections that stay open; safe from many threads."""

    def __init__(self, reach: Reach, *, actor: str, organization: str) -> None:
        self._reach, self._actor, self._organization = reach, actor, organization
        self._lock = threading.Lock()
        self._kept = threading.local()
        self._token, self._minted_at = "", float("-inf")
        self._sent: dict[Form, Callable[[Piece], Outcome]] = {
            Form.FHIR: self._fhir,
            Form.NDJSON: self._fhir,
            Form.CSV: self._row,
            Form.HL7: self._message,
        }

    def send(self, piece: Piece) -> Outcome:
        """How the piece ended; a door that is away is asked again for a minute.  Raises Unavailable after that."""
        if piece.faults:
            return Outcome(piece, End.REFUSED, faults=piece.faults)
        until, pause_s = time.monotonic() + PATIENCE_S, 0.1
        while True:
            try:
                return self._sent[piece.form](piece)
            except Unavailable:
                if time.monotonic() + pause_s > until:
                    raise
            time.sleep(random.uniform(pause_s / 2, pause_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def knows(self, referral_id: str) -> bool:
        """True where the system still has this referral, as far as we may know; no PHI is read for it."""
        import grpc

        from chassis.rich_status import refused
        from kindred.intake.v1 import intake_pb2

        request = intake_pb2.WatchReferralRequest(referral_id=referral_id)
        stream = self._reach.intake().WatchReferral(request, timeout=CALL_S, metadata=self._metadata())
        try:
            return bool(next(stream).summary.referral_id)
        except grpc.RpcError as error:
            may_not_ask = error.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
            return not may_not_ask and refused(error).code != "referral-unknown"
        finally:
            stream.cancel()

    def knows_by_message(self, piece: Piece, referral_id: str) -> bool:
        """True where the listener still has this referral of the piece's sender.  Raises Unavailable."""
        outcome = self._message(replace(piece, content=_question(piece.content, referral_id)))
        return outcome.end is not End.REFUSED or outcome.faults[0].code not in _NOT_THERE

    def _bearer(self) -> str:
        with self._lock:
            if time.monotonic() - self._minted_at > _TOKEN_S:
                self._token = self._reach.token("nurse", self._actor, self._organization)
                self._minted_at = time.monotonic()
            return self._token

    def _metadata(self) -> Any:
        purpose = self._reach.who.purpose or "TREAT"
        return (("authorization", f"Bearer {self._bearer()}"), ("x-purpose-of-use", purpose))

    def _row(self, piece: Piece) -> Outcome:
        import grpc

        from chassis.errors import Kind
        from chassis.rich_status import refused
        from kindred.intake.v1 import intake_pb2

        request = intake_pb2.SubmitReferralRequest()
        request.CopyFrom(piece.row)
        request.idempotency_key = piece.key
        try:
            told = self._reach.intake().SubmitReferral(request, timeout=CALL_S, metadata=self._metadata())
        except grpc.RpcError as error:
            refusal = refused(error)
            if refusal.kind in {Kind.UNAVAILABLE, Kind.EXHAUSTED, Kind.TOO_EARLY}:
                raise Unavailable(refusal.code) from None
            faults = [
                PieceFault(fault.code, fault.message, csv_rows.column_of(fault.path))
                for fault in refusal.faults
            ]
            return Outcome(piece, End.REFUSED, faults=faults or [PieceFault(refusal.code, refusal.message)])
        return Outcome(piece, End.KNOWN if told.was_known else End.STORED, told.referral_id, told.status)

    def _fhir(self, piece: Piece) -> Outcome:
        headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            "Authorization": f"Bearer {self._bearer()}",
            "X-Purpose-Of-Use": self._reach.who.purpose or "TREAT",
        }
        asked = _json(piece.content).get("resourceType")
        single = asked if asked in _SINGLE else ""
        path = f"/fhir/{single}" if single else "/fhir"
        status, answer = self._posted(path, piece.content, headers)
        if status in _BUSY:
            raise Unavailable(str(status))
        if status >= 400:
            found = [PieceFault(*parts) for parts in referrals.issues(answer)]
            return Outcome(
                piece, End.REFUSED, faults=found or [PieceFault(f"http-{status}", "No word more.")]
            )
        if single:
            return Outcome(piece, End.KNOWN if status == _OK else End.STORED, str(answer.get("id", "")))
        told = [entry.get("response", {}) for entry in answer.get("entry", [])]
        is_known = any(str(one.get("status")).startswith("200") and one.get("location") for one in told)
        return Outcome(piece, End.KNOWN if is_known else End.STORED, referrals.task_id(answer))

    def _posted(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        """POST over a connection this thread keeps; a connection that was closed meanwhile is made anew once."""
        while True:
            connection = getattr(self._kept, "http", None)
            is_new = connection is None
            if connection is None:
                address = self._reach.http_address("intake")
                connection = self._kept.http = http.client.HTTPConnection(address, timeout=CALL_S)
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                return answer.status, _json(answer.read())
            except (OSError, http.client.HTTPException) as trouble:
                connection.close()
                self._kept.http = None
                if is_new:
                    raise Unavailable(type(trouble).__name__) from None

    def _message(self, piece: Piece) -> Outcome:
        address = self._reach.mllp_address()
        try:
            answer = _over_mllp(self._kept, address, _answerable(piece.content))
        except OSError as trouble:
            raise Unavailable(type(trouble).__name__) from None
        return _acknowledged(piece, answer)


def _over_mllp(kept: threading.local, address: str, message: bytes) -> bytes:
    """The answer to one message; a framed answer is awaited before anything else is sent."""
    connection: socket.socket | None = getattr(kept, "mllp", None)
    if connection is None:
        host, _, port = address.rpartition(":")
        connection = kept.mllp = socket.create_connection((host, int(port)), timeout=CALL_S)
    try:
        connection.sendall(_MLLP_BEGIN + message + _MLLP_END)
        answer = b""
        while not answer.endswith(_MLLP_END):
            chunk = connection.recv(65_536)
            if not chunk or len(answer) > _MOST_ANSWER_BYTES:
                raise ConnectionError("no whole answer came")
            answer += chunk
    except OSError:
        connection.close()
        kept.mllp = None
        raise
    return answer.strip(_MLLP_BEGIN + _MLLP_END)


def _answerable(message: bytes) -> bytes:
    """The message with MSH-15 and MSH-16 empty: then it is always answered, and by the application (chapter 2).

    Without this a file that an engine wrote with "NE" there would leave nobody knowing how its messages ended.
    """
    header, _, rest = message.partition(b"\r")
    fields = header.split(header[3:4])
    for index in (14, 15):
        if index < len(fields):
            fields[index] = b""
    return header[3:4].join(fields) + b"\r" + rest


def _question(message: bytes, referral_id: str) -> bytes:
    """A REF^I15 by the message's sender about a referral of ours (RF1-11), in the message's own signs."""
    mark, sign = message[3:4], message[4:5]
    header = message.partition(b"\r")[0].split(mark)
    kept = [header[index] if index < len(header) else b"" for index in range(12)]
    kept[8], kept[9] = sign.join((b"REF", b"I15")), secrets.token_hex(8).encode()
    asked = mark.join((b"RF1", *[b""] * 10, referral_id.encode()))
    return b"\r".join((mark.join(kept), asked, b""))


def _acknowledged(piece: Piece, answer: bytes) -> Outcome:
    """What MSA and ERR say (HL7 v2 chapter 2, tables 0008 and 0357)."""
    segments = [line for line in answer.decode("utf-8", "replace").split("\r") if line]
    mark = segments[0][3] if segments and len(segments[0]) > 3 else "|"
    fields = [segment.split(mark) for segment in segments]
    code = next((one[1] for one in fields if one[0] == "MSA" and len(one) > 1), "")
    if code in {"AA", "CA"}:
        return Outcome(piece, End.STORED, _referral_of(fields))
    errors = [dict(enumerate(one)) for one in fields if one[0] == "ERR"]
    errors = [one for one in errors if one.get(4, "") != "W"]
    if any(_LOCKED in (one.get(3) or one.get(1, "")).split("^") for one in errors):
        raise Unavailable(code)
    fault = PieceFault(code or "answer-unreadable", "The listener did not take it.")
    return Outcome(piece, End.REFUSED, faults=[_fault_of(one) for one in errors] or [fault])


def _fault_of(err: dict[int, str]) -> PieceFault:
    """ERR-2 is the location, ERR-5 our code, ERR-8 the words; before version 2.5 ERR-1 holds place and code."""
    old = err.get(1, "").split("^")
    code = err.get(5, "").split("^")[0] or err.get(3, "").split("^")[0] or "".join(old[3:4]) or "error"
    segment, sequence, *rest = (err.get(2, "").split("^") if err.get(2) else old[:3]) + ["", ""]
    number = f"[{sequence}]" if sequence else ""
    field = f"-{rest[0]}" if rest and rest[0] else ""
    return PieceFault(code, err.get(8, ""), f"{segment}{number}{field}")


def _referral_of(fields: list[list[str]]) -> str:
    """The filler's id in RF1-11 or the id in ZKR, as the answer gives it; else nothing."""
    for one in fields:
        for cell in one[1:]:
            first = cell.split("^")[0]
            if first.startswith("ref-"):
                return first
    return ""


def _json(content: bytes) -> Any:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
