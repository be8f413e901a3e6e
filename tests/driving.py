"""Drives a whole running Kindred from outside, as its users would: their tokens, their protocols, their journal."""

from __future__ import annotations

import csv
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo import MongoClient

from chassis import grpc_client, identity, mongo
from cli.local import children, shape, system, watch
from cli.local.place import Addresses, Place
from kindred.audit.v1 import audit_pb2, audit_pb2_grpc
from kindred.intake.v1 import events_pb2, intake_pb2, intake_pb2_grpc
from kindred.matching.v1 import matching_pb2, matching_pb2_grpc
from kindred.notifications.v1 import notifications_pb2, notifications_pb2_grpc

T = TypeVar("T")
RPC_S = 5.0
SERVICES = ("intake", "matching", "notifications", "audit")
KEEPERS = ("audit-signer", "audit-witness")
PROCESSES = (
    *(f"{service}-{role}" for service in SERVICES for role in ("api", "worker")),
    "intake-mllp",
    *KEEPERS,
)

# The database's files are not compressed, so that a scan of them finds whatever is readable.
_READABLE_FILES = (
    "--wiredTigerCollectionBlockCompressor=none",
    "--wiredTigerJournalCompressor=none",
    "--wiredTigerIndexPrefixCompression=false",
)


def until(what: str, ask: Callable[[], T], *, within_s: float = 60.0) -> T:
    """The first truthy answer; fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}; last answer: {answer!r}")
        time.sleep(0.05)


def stamp(moment: datetime) -> Timestamp:
    """The moment as protobuf carries it."""
    result = Timestamp()
    result.FromDatetime(moment)
    return result


@contextmanager
def _parts_of_our_own(mongod_args: Sequence[str]) -> Iterator[None]:
    """The database and broker that serve the other tests are not looked at: this system's own may be killed."""
    names = ("MONGO_URI", "AMQP_URI", "KINDRED_MONGOD_ARGS")
    given = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["KINDRED_MONGOD_ARGS"] = " ".join(mongod_args)
    try:
        yield
    finally:
        del os.environ["KINDRED_MONGOD_ARGS"]
        os.environ.update(given)


@dataclass
class Running:
    """One whole system in a folder of its own: infrastructure, eleven processes, a mail server."""

    place: Place
    overrides: Mapping[str, str] = field(default_factory=dict)
    wanted: shape.Shape | None = None
    # What mongod is given beside what everybody's is.
    mongod_args: Sequence[str] = _READABLE_FILES
    known: Addresses = field(init=False)
    _clients: dict[str, MongoClient[dict[str, Any]]] = field(default_factory=dict, init=False, repr=False)

    def start(self, *, is_watched: bool = False) -> None:
        """Every part that does not run is started, and says that it is ready; only the watch starts it later."""
        self._dismiss_the_watch()
        with _parts_of_our_own(self.mongod_args):
            self.known = system.up(
                self.place, lambda *_: None, self.overrides, is_watched=is_watched, wanted=self.wanted
            )

    def _dismiss_the_watch(self) -> None:
        """Nobody but the test starts what the test has killed."""
        if child := children.recall(self.place.run, watch.NAME):
            children.stop(self.place.run, child, grace_s=10.0)

    def stop(self) -> None:
        """Everything this system started is gone."""
        while self._clients:
            self._clients.popitem()[1].close()
        system.down(self.place, lambda *_: None)

    def signal(self, name: str, number: int = signal.SIGKILL) -> None:
        """The part gets the signal, with every process of its session; after a KILL it is gone."""
        child = children.recall(self.place.run, name)
        assert child is not None, f"{name} does not run"
        os.killpg(os.getpgid(child.pid), number)
        if number == signal.SIGKILL:
            assert children.wait_exit(child, 10.0)

    def database(self, service: str) -> Any:
        """The service's own database, for a test that looks behind the door."""
        uri = self.known.mongo_uri
        if uri not in self._clients:  # each has threads of its own, and tests look often
            self._clients[uri] = mongo.connect(uri)
        return self._clients[uri][f"kindred_{service}"]

    def token(self, role: str, actor_id: str, organization_id: str = "") -> str:
        """A token of the local issuer, good for an hour."""
        pem = (Path(self.known.keys_dir) / "issuer.pem").read_bytes()
        return identity.mint(pem, actor_id=actor_id, role=role, organization_id=organization_id)

    def mails(self) -> list[bytes]:
        """Every mail that arrived, as it came."""
        return [path.read_bytes() for path in sorted(self.place.mail.rglob("*.eml"))]

    def texts(self) -> list[str]:
        """The notice of every SMS that arrived; where there is no account, none does."""
        return []

    def logs(self) -> str:
        """Everything any process logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.place.log.glob("*.log")))


class Client:
    """One caller's connection to one service's api."""

    def __init__(self, running: Running, service: str, token: str, purpose: str = "") -> None:
        options = [("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 100)]
        options += [("grpc.max_reconnect_backoff_ms", 1_000), ("grpc.use_local_subchannel_pool", 1)]
        folder = Path(running.known.keys_dir)
        own, trusted = ((folder / name).read_bytes() for name in ("tls.cli.pem", "tls.ca.pem"))
        credentials = grpc.ssl_channel_credentials(trusted, own, own)
        where, more = grpc_client.target(running.known.grpc_of_all(service))
        if more:  # several replicas: each gets its turn, and one that is away is passed over
            more = [*more, ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')]
        self.channel = grpc.secure_channel(where, credentials, options=[*options, *more])
        self.metadata = [("authorization", f"Bearer {token}"), ("x-purpose-of-use", purpose)]

    def call(self, method: Any, request: Any) -> Any:
        """The answer, or the RpcError."""
        return method(request, timeout=RPC_S, metadata=self.metadata)


class Er:
    """An emergency room: submits referrals by gRPC and FHIR and watches them."""

    def __init__(self, running: Running, source_id: str = "er-st-brigid") -> None:
        self.running = running
        self.source_id = source_id
        self.token = running.token("nurse", "nurse-ada", source_id)
        self.client = Client(running, "intake", self.token, "TREAT")
        self.stub = intake_pb2_grpc.IntakeServiceStub(self.client.channel)

    def submit(self, request: intake_pb2.SubmitReferralRequest) -> intake_pb2.SubmitReferralResponse:
        """One attempt."""
        return self.client.call(self.stub.SubmitReferral, request)

    def submit_until_told(self, request: Any, within_s: float = 120.0) -> str:
        """The referral's id, told by an acknowledgement; a call whose fate is unknown is tried again with its key."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                return self.submit(request).referral_id
            except grpc.RpcError as error:
                retryable = (
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.CANCELLED,
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    grpc.StatusCode.ABORTED,
                )
                if error.code() not in retryable or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def post(self, body: Any, **headers: str) -> httpx.Response:
        """POST /fhir."""
        sent = {"Authorization": f"Bearer {self.token}", "X-Purpose-Of-Use": "TREAT"} | headers
        if not isinstance(body, bytes | str):
            sent.setdefault("Content-Type", "application/fhir+json")
            return httpx.post(f"http://{self.running.known.http['intake']}/fhir", json=body, headers=sent)
        sent.setdefault("Content-Type", "application/fhir+json")
        return httpx.post(f"http://{self.running.known.http['intake']}/fhir", content=body, headers=sent)

    def task(self, referral_id: str) -> httpx.Response:
        """GET the referral's Task."""
        sent = {"Authorization": f"Bearer {self.token}", "X-Purpose-Of-Use": "TREAT"}
        return httpx.get(f"http://{self.running.known.http['intake']}/fhir/Task/{referral_id}", headers=sent)


class Roster:
    """The people of one programme: imports them, and speaks for each."""

    def __init__(self, running: Running, programme_id: str = "harbor") -> None:
        self.running = running
        self.programme_id = programme_id
        self.clients: dict[str, Client] = {}
        self.coordinator = self._client("coordinator", "coordinator-ines")

    def load(self, text: str) -> matching_pb2.ImportRosterResponse:
        """The roster is stored; the last progress report."""
        stub = matching_pb2_grpc.MatchingServiceStub(self.coordinator.channel)

        def chunks() -> Iterator[matching_pb2.ImportRosterRequest]:
            for start in range(0, len(text), 60_000):
                yield matching_pb2.ImportRosterRequest(
                    chunk=text[start : start + 60_000].encode(), format="csv"
                )

        reports = list(stub.ImportRoster(chunks(), timeout=60.0, metadata=self.coordinator.metadata))
        return reports[-1]

    def case(self, referral_id: str) -> matching_pb2.GetCaseResponse | None:
        """The referral's case, or None while matching has not heard of it."""
        stub = matching_pb2_grpc.MatchingServiceStub(self.coordinator.channel)
        try:
            return self.coordinator.call(stub.GetCase, matching_pb2.GetCaseRequest(referral_id=referral_id))
        except grpc.RpcError as error:
            if error.code() in (
                grpc.StatusCode.NOT_FOUND,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ):
                return None
            raise

    def open_offers(self, referral_id: str) -> list[matching_pb2.Offer]:
        """The referral's open offers."""
        case = self.case(referral_id)
        return [offer for offer in case.offers if offer.state == "open"] if case else []

    def accept(self, offer: matching_pb2.Offer, minutes: int = 20, key: str = "") -> Any:
        """The specialist accepts; raises the RpcError of whoever was too late."""
        client = self._specialist(offer.specialist_id)
        request = matching_pb2.AcceptOfferRequest(
            offer_id=offer.offer_id,
            idempotency_key=key or f"accept-{offer.offer_id}",
            promised_arrival_at=stamp(datetime.now(UTC) + timedelta(minutes=minutes)),
            modality="bedside",
        )
        return client.call(matching_pb2_grpc.MatchingServiceStub(client.channel).AcceptOffer, request)

    def decline(self, offer: matching_pb2.Offer) -> Any:
        """The specialist says no."""
        client = self._specialist(offer.specialist_id)
        request = matching_pb2.DeclineOfferRequest(
            offer_id=offer.offer_id, idempotency_key=f"decline-{offer.offer_id}", reason_code="busy"
        )
        return client.call(matching_pb2_grpc.MatchingServiceStub(client.channel).DeclineOffer, request)

    def record_handoff(self, specialist_id: str, referral_id: str, outcome: str = "met") -> Any:
        """The specialist records the first meeting, or why there was none."""
        client = self._specialist(specialist_id)
        request = matching_pb2.RecordHandoffRequest(
            referral_id=referral_id,
            idempotency_key=f"handoff-{referral_id}",
            outcome=outcome,
            modality="bedside",
        )
        return client.call(matching_pb2_grpc.MatchingServiceStub(client.channel).RecordHandoff, request)

    def record_checkin(self, specialist_id: str, referral_id: str, outcome: str = "reached") -> Any:
        """The specialist records a follow-up contact."""
        client = self._specialist(specialist_id)
        request = matching_pb2.RecordCheckinRequest(
            referral_id=referral_id, idempotency_key=f"checkin-{referral_id}", outcome=outcome
        )
        return client.call(matching_pb2_grpc.MatchingServiceStub(client.channel).RecordCheckin, request)

    def complete(self, specialist_id: str, referral_id: str, outcome: str) -> Any:
        """The specialist's work ends, with an outcome."""
        client = self._specialist(specialist_id)
        request = matching_pb2.CompleteCaseRequest(referral_id=referral_id, outcome=outcome)
        return client.call(matching_pb2_grpc.MatchingServiceStub(client.channel).CompleteCase, request)

    def _specialist(self, specialist_id: str) -> Client:
        if specialist_id not in self.clients:
            self.clients[specialist_id] = self._client("specialist", specialist_id)
        return self.clients[specialist_id]

    def _client(self, role: str, actor_id: str) -> Client:
        token = self.running.token(role, actor_id, self.programme_id)
        return Client(self.running, "matching", token, "TREAT")


class Officer:
    """A compliance officer: searches, proves and checks the log."""

    def __init__(self, running: Running) -> None:
        token = running.token("compliance", "officer-noor", "kindred")
        self.client = Client(running, "audit", token, "HCOMPL")
        self.stub = audit_pb2_grpc.AuditServiceStub(self.client.channel)
        self.notices_client = Client(running, "notifications", token, "HCOMPL")
        self.notices_stub = notifications_pb2_grpc.NotificationsServiceStub(self.notices_client.channel)

    def entries(self, **criteria: Any) -> list[audit_pb2.Entry]:
        """Every entry that fits, newest first."""
        found: list[audit_pb2.Entry] = []
        token = ""
        while True:
            request = audit_pb2.SearchEntriesRequest(limit=500, page_token=token, **criteria)
            answer = self.client.call(self.stub.SearchEntries, request)
            found.extend(answer.entries)
            token = answer.next_page_token
            if not token:
                return found

    def check(self) -> audit_pb2.CheckLogResponse:
        """What the log finds wrong with itself."""
        return self.stub.CheckLog(audit_pb2.CheckLogRequest(), timeout=60.0, metadata=self.client.metadata)

    def check_size(self) -> int:
        """How many entries the newest checkpoint holds (C2SP tlog-checkpoint: the second line)."""
        answer = self.client.call(self.stub.GetCheckpoint, audit_pb2.GetCheckpointRequest())
        return int(answer.checkpoint.split(b"\n")[1])

    def notices(self, referral_id: str) -> list[notifications_pb2.Notice]:
        """The referral's notices, without addresses."""
        request = notifications_pb2.ListNoticesRequest(referral_id=referral_id, limit=500)
        return list(self.notices_client.call(self.notices_stub.ListNotices, request).notices)


def a_specialist(specialist_id: str, **given: str) -> dict[str, str]:
    """A roster row of somebody who may serve anybody in Albany, any hour."""
    row = {
        "specialist_id": specialist_id,
        "role": "specialist",
        "programme_id": "harbor",
        "display_name": f"Peer {specialist_id}",
        "email": f"{specialist_id}@harbor.example",
        "notice_language": "en",
        "languages": "en:native",
        "attributes": "substance.opioids:released",
        "agrees_to_private_use": "no",
        "certifications": "NY/any/any/2020-01-01/2099-12-31",
        "modalities": "bedside;phone;video",
        "zip": "12208",
        "radius_miles": "50",
        "shifts": "always",
        "time_zone": "America/New_York",
        "capacity": "50",
    }
    return row | given


def a_supervisor(**given: str) -> dict[str, str]:
    """The roster row of the programme's supervisor."""
    row = a_specialist(
        "supervisor-odell", role="supervisor", shifts="", capacity="", certifications="", modalities=""
    )
    return row | {"radius_miles": ""} | given


def roster_csv(rows: list[dict[str, str]]) -> str:
    """The rows as a roster file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def a_referral(number: int | str, **given: Any) -> intake_pb2.SubmitReferralRequest:
    """A referral of a plainly fictional person whom the harbor programme can serve."""
    now = datetime.now(UTC)
    request = intake_pb2.SubmitReferralRequest(
        idempotency_key=f"key-{number}",
        person=intake_pb2.Person(
            family_name=f"Marlowe{number}",
            given_name="Testperson",
            birth_date="1988-04-01",
            record_number=f"MRN-{number}",
            record_system="urn:oid:2.999.1",
            phones=["+15185550100"],
        ),
        consent=intake_pb2.Consent(
            consent_id=f"consent-{number}", is_permitted=True, signed_at=stamp(now - timedelta(minutes=5))
        ),
        source_contact=intake_pb2.Contact(
            email="er-desk@st-brigid.example", language="en", time_zone="America/New_York"
        ),
        visit_number=f"V-{number}",
        urgency=events_pb2.URGENCY_IMMEDIATE,
        experience_codes=["substance.opioids"],
        languages=["en"],
        facility_zip="12208",
        payer_code="medicaid",
        arrived_at=stamp(now - timedelta(minutes=20)),
        note="Prefers to be called by the middle name.",
    )
    for name, value in given.items():
        if isinstance(value, list):
            del getattr(request, name)[:]
            getattr(request, name).extend(value)
        elif hasattr(value, "DESCRIPTOR"):
            getattr(request, name).CopyFrom(value)
        else:
            setattr(request, name, value)
    return request


def at_once(work: Callable[[Any], Any], items: list[Any], threads: int = 8) -> list[Any]:
    """The results of the work on every item, done by several threads; the first failure is raised."""
    left = iter(items)
    lock = threading.Lock()
    results: list[Any] = []
    failures: list[BaseException] = []

    def run() -> None:
        while not failures:
            with lock:
                item = next(left, None)
            if item is None:
                return
            try:
                results.append(work(item))
            except BaseException as error:  # noqa: BLE001  told to the test below
                failures.append(error)

    pool = [threading.Thread(target=run) for _ in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    if failures:
        raise failures[0]
    return results
