"""Sends hostile sendings to a running intake, and looks at every answer and at what was stored."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.intake.r4 import validator
from tests.bundles import a_bundle
from tests.conformance.hostile.mutating import JSON, Sending

TIMEOUT_S = 60
_TOLD = re.compile(rb"(?:Task|ServiceRequest)/(ref-[\w-]+)")
_SERVER_FAULT = 500
_REFUSED = 400
_MOST_TRIES = 5
_IDLE_S = (
    2.0  # a kept connection is closed by the server after 5 idle seconds, maybe just as it is used again
)
_DEEP = 20_000  # what is nested to hurt the server must not hurt its maker


@dataclass
class Outcome:
    """What came of a whole run."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    unanswered: int = 0
    asked_again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, sending: Sending, status: int, body: bytes, location: str) -> None:
        """Counts one answer, and says what is wrong with it."""
        wrong, codes = wrong_with(status, body)
        with self.lock:
            self.statuses[status] += 1
            self.codes.update(codes)
            self.wrong += [f"{name} {sending.path}: {status} {one}" for one in wrong]
            if status < _REFUSED and "$validate" not in sending.path:
                self.told.update(found.decode() for found in _TOLD.findall(location.encode() + b" " + body))


def wrong_with(status: int, body: bytes) -> tuple[list[str], list[str]]:
    """(what an answer must not be, the codes it told): a 5xx, no FHIR, or a refusal that says nothing."""
    if status >= _SERVER_FAULT:
        return [f"a server's fault: {body[:300]!r}"], []
    try:
        resource = json.loads(body) if body else None
    except ValueError:
        return [f"no JSON: {body[:100]!r}"], []
    if resource is None:
        return (["a refusal without a word"], []) if status >= _REFUSED else ([], [])
    wrong = [f"an answer that is no R4: {fault.path} {fault.code}" for fault in validator.check(resource)]
    if status < _REFUSED:
        return wrong, []
    if resource.get("resourceType") != "OperationOutcome":
        return [*wrong, "a refusal that is no OperationOutcome"], []
    details = [issue.get("details", {}).get("coding", [{}])[0].get("code", "") for issue in resource["issue"]]
    return wrong + ["an issue without a code"] * details.count(""), details


@dataclass(frozen=True)
class Target:
    """A running intake, and who calls it."""

    port: int
    headers: Callable[[], dict[str, str]]

    def send(
        self, way: http.client.HTTPConnection, sending: Sending, method: str = "POST"
    ) -> tuple[int, bytes, str]:
        """One request on this connection; what no client could put in a header is left out."""
        headers = self.headers() | sending.headers
        sendable = {name: value for name, value in headers.items() if value.isascii() or value.isprintable()}
        way.request(method, sending.path, sending.body, sendable)
        answer = way.getresponse()
        return answer.status, answer.read(), answer.headers.get("Location", "")

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)


def run(
    target: Target,
    make: Callable[[int], Sending],
    count: int,
    clients: int,
    tick: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """`make(0)` to `make(count - 1)` sent by so many clients at once.

    A connection that breaks without an answer is wrong, and so is a sending that was never sent.  Who is told 503 asks
    again, as any client must: on a machine that is too busy the store may not answer within its 8 seconds.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEP))
    outcome, numbers, lock = Outcome(), iter(range(count)), threading.Lock()

    def one_client() -> None:
        way = target.connection()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            tick(number)
            begun = time.monotonic()
            sending = make(number)
            if time.monotonic() - begun > _IDLE_S:
                way.close()  # it opens again by itself
            try:
                answer = target.send(way, sending)
                for _ in range(_MOST_TRIES):
                    if answer[0] != http.client.SERVICE_UNAVAILABLE:
                        break
                    outcome.asked_again += 1
                    time.sleep(1)
                    answer = target.send(way, sending)
                outcome.note(str(number), sending, *answer)
            except (http.client.HTTPException, OSError) as error:
                with outcome.lock:
                    outcome.unanswered += 1
                    outcome.wrong.append(f"{number} {sending.path}: no answer ({type(error).__name__})")
                way.close()
                way = target.connection()

    threads = [threading.Thread(target=one_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if (done := outcome.statuses.total() + outcome.unanswered) != count:
        outcome.wrong.append(f"only {done} of {count} were sent: the sender itself failed")
    return outcome


def afterwards(target: Target, database: Any, outcome: Outcome, most_read: int) -> list[str]:
    """What is wrong once all is sent: stored and not told, told and not stored, unreadable, or nobody answers."""
    stored = {row["_id"] for row in database["referrals"].find({}, {"_id": 1})}
    wrong = [f"stored and not told: {one}" for one in sorted(stored - outcome.told)[:5]]
    wrong += [f"told and not stored: {one}" for one in sorted(outcome.told - stored)[:5]]
    wrong += [
        f"an intent without a referral: {row['_id']}"
        for row in database["referrals"].find({"sealed": {"$exists": False}}, {"_id": 1})
    ]
    way = target.connection()
    for one in sorted(stored)[:most_read]:
        status, body, _ = target.send(way, Sending(f"/fhir/Task/{one}", b""), "GET")
        wrong += [f"{one}: {status} {what}" for what in (wrong_with(status, body)[0] or [])]
        wrong += [f"{one} is stored and cannot be read: {status}"] * (status != 200)
    good = Sending("/fhir", json.dumps(a_bundle("after-all")).encode(), {"Content-Type": JSON})
    status, body, _ = target.send(way, good)
    return wrong + ([] if status == 200 else [f"a good Bundle afterwards: {status} {body[:300]!r}"])
