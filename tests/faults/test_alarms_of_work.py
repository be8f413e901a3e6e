"""Alarms of queues, doors and receivers on a real system with a real Prometheus: each fires, and ends as advised."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import kombu
import pytest

from chassis import topology
from tests.driving import until
from tests.faults import evidence, parked_again
from tests.faults.ground import PATIENCE_S, Cell
from tests.faults.operator_at_work import kindred
from tests.integration.intake.outward_driving import MOVED, PACE
from tests.integration.intake.outward_sides import Subscriber
from tests.system_watching import Watcher

pytestmark = pytest.mark.slow_faults
# More than the thousand of KindredQueueGrows.
MANY = 1_100
ENOUGH_ROWS = 100


@contextmanager
def going_on(act: Any, every_s: float) -> Iterator[None]:
    """It is done again and again during the block, beside it."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@pytest.mark.fault("F-18")
def test_nobody_listens_at_a_queue(cell: Cell, watcher: Watcher) -> None:
    """Audit's worker is dead: its api says how the inbox grows (KindredQueueGrows) and that dead letters stay
    (KindredDeadLettersStay); the worker is started, drains the one, parks the other, and the parked are replayed."""
    inbox, dead = topology.queues_of("audit")
    cell.kill("audit-worker")
    cell.clients.submit("heard-by-no-auditor")
    with kombu.Connection(cell.running.known.amqp_uri) as connection:
        channel = connection.channel()
        real = until("an event waits", lambda: channel.basic_get(inbox))
        channel.basic_reject(real.delivery_tag, requeue=False)
        until("it is a dead letter", lambda: channel.queue_declare(dead, passive=True).message_count)
        watcher.fires("KindredDeadLettersStay", dead)
        properties = {name: value for name, value in real.properties.items() if value is not None}

        def once_more(times: int = 20) -> None:
            for _ in range(times):
                channel.basic_publish(kombu_message(channel, real.body, properties), "", inbox)

        once_more(MANY)
        with going_on(once_more, every_s=0.5):
            watcher.fires("KindredQueueGrows", inbox)
    cell.broke("audit.inbox", f"{MANY} times the same event")
    cell.ground.up()
    watcher.ends("KindredQueueGrows")
    watcher.ends("KindredDeadLettersStay")
    until("at rest", lambda: evidence.is_at_rest(cell.running), within_s=PATIENCE_S)
    for one in parked_again.parked(cell.running, "audit"):
        parked_again.replayed(cell.running, one.reason_code)
    cell.conclude()


def kombu_message(channel: Any, body: Any, properties: dict[str, Any]) -> Any:
    """The same event once more, as the broker would deliver it twice."""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    headers = {
        name: value
        for name, value in properties.get("application_headers", {}).items()
        if not name.startswith("x-")
    }
    kept = {name: value for name, value in properties.items() if name != "application_headers"}
    return channel.prepare_message(
        raw,
        content_type=kept.pop("content_type", None),
        content_encoding=kept.pop("content_encoding", None),
        headers=headers,
        properties=kept,
    )


@pytest.mark.fault("F-10")
def test_events_come_before_what_they_need(cell: Cell, watcher: Watcher) -> None:
    """Notifications does not hear of referrals: over a hundred events wait for that (KindredEventsTriedAgain); bound
    again and said again, each is handled."""
    inbox, key = topology.inbox_name("notifications"), "referral.submitted.v1"
    rows = cell.running.database("notifications").retry_events
    with kombu.Connection(cell.running.known.amqp_uri) as connection:
        connection.channel().queue_unbind(inbox, topology.EVENTS.name, key)
    cell.broke("notifications.inbox", f"no binding of {key}")
    try:
        with cell.load(55, over_s=20):
            pass
        for referral_id, specialist_id in cell.journal.accepted().items():
            cell.clients.roster.record_handoff(specialist_id, referral_id)
        until("events wait", lambda: rows.count_documents({}) > ENOUGH_ROWS, within_s=120)
        watcher.fires("KindredEventsTriedAgain", "notifications")
        codes = rows.distinct("code")
        told = kindred(cell.running, "doctor").stdout
    finally:
        with kombu.Connection(cell.running.known.amqp_uri) as connection:
            connection.channel().queue_bind(inbox, topology.EVENTS.name, key)
    assert codes == ["contact-not-known-yet"]
    assert key in told
    assert kindred(cell.running, "replay", "intake").returncode == 0
    watcher.ends("KindredEventsTriedAgain", within_s=400.0)
    cell.conclude()


@pytest.mark.fault("F-25")
def test_a_document_nobody_can_read(cell: Cell, watcher: Watcher) -> None:
    """A stored referral lost a field: its reader is told an error id (KindredBugs), the log of that id says where;
    with the field back it is read."""
    with cell.load(1, over_s=0.1):
        pass
    (referral_id,) = set().union(*cell.journal.acknowledged().values())
    referrals = cell.running.database("intake").referrals
    modality = referrals.find_one({"_id": referral_id})["modality"]
    referrals.update_one({"_id": referral_id}, {"$unset": {"modality": ""}})
    cell.broke("intake's database", "a referral without its modality")
    try:
        with cell.clients.reading() as client:
            url = f"http://{cell.running.known.http['intake']}/fhir/Task/{referral_id}"
            answer = client.get(url)
        assert answer.status_code == 500
        assert watcher.fires("KindredBugs")["labels"]["process"] == "intake-api"
    finally:
        referrals.update_one({"_id": referral_id}, {"$set": {"modality": modality}})
    told = re.search(r"err.([0-9a-f]{32})", answer.text)
    assert told, answer.text
    assert f"err_{told[1]}" in cell.running.logs()
    with cell.clients.reading() as client:
        assert client.get(url).status_code == 200
    watcher.ends("KindredBugs")
    parked_again.replayed(cell.running, "bug")  # what intake was told of it meanwhile
    cell.conclude()


@pytest.mark.fault("F-05")
def test_one_organization_asks_too_much(cell: Cell, watcher: Watcher) -> None:
    """A door that lets an organization ask twice a second is asked all the time: KindredShedsLoad names the code,
    and ends with the flood."""
    cell.kill("intake-api")
    cell.ground.begin("intake-api", KINDRED_ORGANIZATION_PER_S="2")
    cell.broke("intake-api", "a flood of one organization's reads")
    token = cell.running.token("nurse", "nurse-flood", "er-flood")
    sent = {"Authorization": f"Bearer {token}", "X-Purpose-Of-Use": "TREAT"}
    url = f"http://{cell.running.known.http['intake']}/fhir/Task/ref_of_nobody"
    with (
        httpx.Client(headers=sent, timeout=10) as client,
        going_on(lambda: client.get(url), every_s=0.05),
    ):
        assert watcher.fires("KindredShedsLoad")["labels"]["code"] == "rate-exceeded"
    watcher.ends("KindredShedsLoad")
    cell.conclude()


@pytest.mark.fault("F-31")
def test_a_receiver_that_is_gone(cell: Cell, watcher: Watcher) -> None:
    """A hospital's receiver answers 410: its subscription is off (KindredReceiverSwitchedOff) until the hospital asks
    for it again."""
    running, side = cell.running, Subscriber().start()
    for name in ("intake-api", "intake-worker"):
        cell.kill(name)
        cell.ground.begin(name, **PACE)
    token = running.token("system", "his", "er-st-brigid")
    sent = {"Authorization": f"Bearer {token}", "X-Purpose-Of-Use": "TREAT"}
    sent["Content-Type"] = "application/fhir+json"
    channel = {"type": "rest-hook", "endpoint": side.url, "payload": "application/fhir+json"}
    wanted = {"resourceType": "Subscription", "status": "requested", "reason": "To know", "criteria": MOVED}
    with httpx.Client(
        base_url=f"http://{running.known.http['intake']}/fhir", headers=sent, timeout=15
    ) as his:
        made = his.post("/Subscription", json=wanted | {"channel": channel})
        assert made.status_code == 201, made.text
        place = f"/Subscription/{made.json()['id']}"

        def is_now(status: str) -> bool:
            return bool(his.get(place).json()["status"] == status)

        until("active", lambda: is_now("active"))
        side.standing_fault = "410"
        cell.broke("a receiver", "410")
        cell.clients.submit("told-to-nobody")
        until("off", lambda: is_now("off"), within_s=120)
        watcher.fires("KindredReceiverSwitchedOff")
        side.standing_fault = ""
        again = his.put(place, json=his.get(place).json() | {"status": "requested"})
        assert again.status_code == 200, again.text
        until("active again", lambda: is_now("active"))
        watcher.ends("KindredReceiverSwitchedOff")
        assert his.delete(place).status_code == 204
    side.stop()
    cell.conclude()
