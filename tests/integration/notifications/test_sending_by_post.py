"""SMS and webhooks against a far side that speaks their protocols, and what people say back."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bson import encode
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from chassis import failpoints, identity, outbound
from chassis import settings as chassis_settings
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.http_server import build_app
from chassis.identity import Caller
from kindred.access.v1.events_pb2 import RecordRead
from kindred.notifications.v1.events_pb2 import (
    ContactChanged,
    ContactErased,
    NoticeBounced,
    NoticeDelivered,
    NoticeReplied,
)
from services.notifications import callbacks, courier, handlers
from services.notifications.api import denied
from services.notifications.bootstrap import build_room, prepare
from services.notifications.channels import posting, replies
from services.notifications.channels.posting import PostLine
from services.notifications.domain.contacts import Card, Contact
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Outcome
from services.notifications.domain.standing import Standing
from services.notifications.domain.windows import Window
from services.notifications.settings import Settings
from tests.integration.notifications.driving_notices import (
    a_card,
    an_offer,
    notices,
    said,
    settled,
    told,
    until,
)
from tests.integration.notifications.posted_side import TOKEN, sms_account
from tests.unit.notifications.test_notice_far_sides import a_returned_mail

OWN_URL = "https://notices.kindred.example.org"
PHONE = "+13125550123"
INES = Caller("sp_ines", "specialist", "prog_1", "TREAT")
CAUSE = Cause("cor_test", "")


@pytest.fixture
def room(environ, posted_side):
    """Notifications with an SMS account; a specialist with a mailbox and a phone."""
    more = sms_account(posted_side.url, OWN_URL) | {
        "KINDRED_POST_TIMEOUT_S": "2",
        "KINDRED_WEBHOOK_MOST_FAILURES": "3",
    }
    room = build_room(chassis_settings.read(Settings, environ | more))
    prepare(room)
    contact = Contact("ines@example.org", "en", "UTC", PHONE)
    handlers.keep_contacts(room, [Card("specialist-contact:sp_ines", "sp_ines", 1, contact)])
    yield room
    room.sending.stop()


@pytest.fixture
def web(room):
    """The callbacks as the api serves them."""
    app = build_app(
        room.settings,
        routes=callbacks.routes(room),
        tokens=room.tokens,
        readiness={},
        on_denied=lambda caller, method, code: denied(room, caller, method, code),
    )
    return TestClient(app)


def wish(room, caller=INES, person_id="sp_ines", **wanted):
    version = room.wishes.load(person_id).version
    return handlers.change_contact(room, caller, person_id, wanted, version=version, cause=CAUSE)


def post_signed(web, path, fields, token=TOKEN):
    given = replies.signature(token, f"{OWN_URL}{path}", list(fields.items()))
    return web.post(path, data=fields, headers={"X-Twilio-Signature": given})


def events_of(room, kind, name):
    rows = [row for document in room.database[name].find() for row in document["outbox"]]
    wire = {
        NoticeDelivered: "notice.delivered.v1",
        NoticeBounced: "notice.bounced.v1",
        NoticeReplied: "notice.replied.v1",
        ContactChanged: "contact.changed.v1",
        ContactErased: "contact.erased.v1",
    }[kind]
    return [kind.FromString(row["data"]) for row in rows if row["type"] == wire]


def test_a_connection_is_kept_and_one_that_was_closed_is_replaced_before_anything_is_sent(room, posted_side):
    """Posts follow each other over one connection; after the far side closed it each arrives once, over another."""
    line, endpoint = PostLine(room.poster), outbound.read(f"{posted_side.url}/hook", may_be_private=True)
    assert [line.post(endpoint, b"1", {}).status for _ in range(3)] == [200] * 3
    posted_side.hang_up()
    until("the end is here", lambda: posting._is_closed_there(line._kept[1]))
    assert line.post(endpoint, b"4", {}).status == 200
    posted_side.faults.append("close")
    line.post(endpoint, b"5", {})
    assert line.post(endpoint, b"6", {}).status == 200
    line.close()
    assert [len(taken.body) for taken in posted_side.taken] == [1] * 6
    first, *rest = [taken.connection for taken in posted_side.taken]
    assert rest[:2] == [first, first]
    assert rest[2] == rest[3]
    assert len({first, rest[2], rest[4]}) == 3


def test_an_sms_arrives_and_its_receipt_is_said_once(room, posted_side, web):
    """Posted to the API as it wants it; a signed receipt becomes one event, a forged one changes nothing."""
    wish(room, channels=(Channel.SMS,))
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    [taken] = posted_side.taken
    assert (taken.fields["To"], taken.fields["From"]) == (PHONE, "+13125550100")
    assert "https://answers.example.org/answer/tok-secret-1" in taken.fields["Body"]
    assert document["attempts"][0]["far_id"].startswith("SM")
    path = taken.fields["StatusCallback"].removeprefix(OWN_URL)
    receipt = {"MessageStatus": "delivered", "MessageSid": "SM1"}
    assert post_signed(web, path, receipt, token="forged").status_code == 401
    assert events_of(room, NoticeDelivered, "notices") == []
    for _ in range(3):
        assert post_signed(web, path, receipt).status_code == 204
    [event] = events_of(room, NoticeDelivered, "notices")
    assert (event.channel, event.offer_id, event.attempt) == ("sms", "off_1", 1)
    assert handlers.get_contact(room, INES, "sp_ines", CAUSE).standings == {"sms": "verified"}
    room.addresses.learn(room.people.mark(Channel.SMS, PHONE), Standing.OPTED_OUT, room.clock.now())
    post_signed(web, path, receipt)
    assert handlers.get_contact(room, INES, "sp_ines", CAUSE).standings == {"sms": "opted-out"}


def test_what_a_killed_sender_had_sent_is_told_by_the_far_side_itself(room, posted_side, web):
    """Died between an SMS and its answer: the far side's callback settles it, and nobody sends it again (P4)."""
    wish(room, channels=(Channel.SMS,))
    failpoints.enable("notice.after_send_before_settle=raise@1")
    try:
        room.sending.start()
        handlers.tell(room, told(an_offer()))
        [taken] = until("the SMS is there", lambda: list(posted_side.taken))
        [row] = until("left open", lambda: notices(room, "sending"))
        assert row["attempts"][0]["outcome"] == "open"
        path = taken.fields["StatusCallback"].removeprefix(OWN_URL)
        for _ in range(2):
            assert post_signed(web, path, {"MessageStatus": "sent"}).status_code == 204
    finally:
        failpoints.enable("")
    [row] = settled(room, "sent")
    assert (row["attempts"][0]["outcome"], "due_at" in row, len(said(room))) == ("accepted", False, 1)
    assert len(posted_side.taken) == 1


def test_an_sms_that_never_arrived_goes_by_mail(room, posted_side, web, far_side):
    """Undelivered: said at once, and the next channel has its turn; matching need not wait for the deadline."""
    wish(room, channels=(Channel.SMS, Channel.EMAIL))
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    path = posted_side.taken[0].fields["StatusCallback"].removeprefix(OWN_URL)
    post_signed(web, path, {"MessageStatus": "undelivered", "ErrorCode": "30005"})
    room.sending.ring()
    until("the mail", lambda: far_side.taken)
    [event] = events_of(room, NoticeBounced, "notices")
    assert (event.channel, event.reason_code) == ("sms", "sms-30005")
    assert far_side.taken[0].recipient == "ines@example.org"


@pytest.mark.parametrize("fault", ["429:1", "503"])
def test_an_api_that_is_full_is_asked_again_unmarked(room, posted_side, fault):
    """Too many requests, or not now: the same words again, and no mark, for nothing was taken."""
    wish(room, channels=(Channel.SMS,))
    posted_side.faults.append(fault)
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["deferred", "accepted"]
    assert not document["attempts"][1]["is_possible_repeat"]


@pytest.mark.parametrize("fault", ["hang", "close", "500"])
def test_an_api_whose_answer_is_unknown_gets_a_marked_repeat(room, posted_side, fault):
    """It had the message and nobody knows what it did with it: again, and the log and the event say so (P4)."""
    wish(room, channels=(Channel.SMS,))
    posted_side.faults.append(fault)
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["unknown", "accepted"]
    assert [event.is_possible_repeat for event in said(room)] == [True]


def test_a_number_that_opted_out_at_the_api_is_left_alone(room, posted_side, far_side):
    """21610: refused, remembered, and the mail goes instead; the next notice does not ask the API again."""
    wish(room, channels=(Channel.SMS, Channel.EMAIL))
    posted_side.faults.append("error:21610")
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    handlers.tell(room, told(an_offer("off_2")))
    settled(room, "sent", 2)
    assert len(posted_side.taken) == 1
    assert len(far_side.taken) == 2


@pytest.mark.parametrize(
    ("words", "answer", "kind"),
    [
        ("STOP", "no more messages", "stop"),
        ("alto", "No va a recibir", "stop"),
        ("Wrong number!", "Sorry", "wrong-number"),
    ],
)
def test_stop_silences_also_what_is_queued(room, posted_side, web, words, answer, kind):
    """A STOP is heeded before it is answered: what waits for the number is not sent, START opens it again."""
    wish(room, channels=(Channel.SMS,))
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    room.sending.stop()
    handlers.tell(room, told(an_offer("off_2")))
    heard = post_signed(web, "/sms/inbound", {"From": PHONE, "Body": words})
    assert answer in heard.text
    assert heard.headers["content-type"].startswith("text/xml")
    again = build_room(room.settings)
    again.sending.start()
    settled(room, "dead")
    assert len(posted_side.taken) == 1
    assert [event.kind for event in events_of(room, NoticeReplied, "notices")] == [kind]
    post_signed(web, "/sms/inbound", {"From": PHONE, "Body": "START"})
    handlers.tell(again, told(an_offer("off_3")))
    settled(room, "sent", 2)
    again.sending.stop()


def test_an_unsigned_reply_changes_nothing(room, web):
    """Nobody can silence somebody else's phone without the account's token."""
    assert web.post("/sms/inbound", data={"From": PHONE, "Body": "STOP"}).status_code == 401
    assert room.addresses.closed([room.people.mark(Channel.SMS, PHONE)]) == set()


def test_a_stop_that_races_a_send_wins_or_was_too_late(room, posted_side, web):
    """Forty notices on their way while STOP comes: what begins 20 ms after its answer is not sent."""
    wish(room, channels=(Channel.SMS,))
    handlers.tell(room, told(*[an_offer(f"off_{number}") for number in range(40)]))
    room.sending.start()
    until("some are out", lambda: len(posted_side.taken) >= 3)
    post_signed(web, "/sms/inbound", {"From": PHONE, "Body": "STOP"})
    answered = time.monotonic()
    until("what was asked is asked again", lambda: time.monotonic() - answered > courier._STILL_FRESH_S)
    in_hand = len(posted_side.taken) + 4  # one for each sender
    until("the rest is over", lambda: not list(room.database.notices.find({"due_at": {"$exists": True}})))
    assert len(posted_side.taken) <= in_hand
    assert len(notices(room, "dead")) + len(notices(room, "sent")) == 40


def test_do_not_contact_silences_what_is_queued_at_once(room, far_side):
    """From the answer on nothing is sent, in the middle of the work too; a later notice is cancelled as well."""
    far_side.faults.extend(["hang"] * 4)
    handlers.tell(room, told(*[an_offer(f"off_{number}") for number in range(16)]))
    room.sending.start()
    until("four are on their way", lambda: len(far_side.taken) == 4)
    on_their_way = time.monotonic()
    wish(room, is_do_not_contact=True)
    until("what was asked is asked again", lambda: time.monotonic() - on_their_way > courier._STILL_FRESH_S)
    far_side.release.set()
    handlers.tell(room, told(an_offer("off_late")))
    until("all over", lambda: not list(room.database.notices.find({"due_at": {"$exists": True}})))
    settled(room, "sent", 4)
    assert len(far_side.taken) == 4
    silenced = notices(room, "dead")
    assert len(silenced) == 13
    assert {row["reason_code"] for row in silenced} == {"do-not-contact"}
    told_of = [
        event.offer_id for event in said(room) if getattr(event, "reason_code", "") == "do-not-contact"
    ]
    assert {row["offer_id"] for row in silenced} <= set(told_of)
    [changed] = events_of(room, ContactChanged, "wishes")
    assert (changed.provenance.actor_id, list(changed.fields)) == ("sp_ines", ["is_do_not_contact"])


def test_quiet_hours_hold_back_and_an_immediate_offer_goes(room, far_side):
    """With the whole day quiet but its last hour, only the immediate offer is mailed; the rest waits."""
    now = datetime.now(UTC)
    minute = now.hour * 60 + now.minute
    wish(room, quiet=(Window(minute, (minute + 60) % 1440),))
    room.sending.start()
    waits = an_offer("off_calm", urgency="urgent", minutes=300)
    handlers.tell(room, told(an_offer(), waits))
    settled(room, "sent")
    held = until("held", lambda: list(room.database.notices.find({"offer_id": "off_calm", "attempts": []})))
    until(
        "put off",
        lambda: (
            room.notices.load_many([held[0]["_id"]])[held[0]["_id"]].notice.due_at
            > now + timedelta(minutes=50)
        ),
    )
    assert len(far_side.taken) == 1


def test_erasing_a_person_leaves_nothing_and_silences(room, far_side):
    """Key, addresses and links are gone, what waited is cancelled, and no late card brings them back; may be repeated."""
    wish(room, email="marked.quillfeather@example.org")
    handlers.tell(room, told(an_offer()))
    officer = Caller("co_1", "compliance", "org_1", "HCOMPL")
    assert handlers.erase(room, officer, "sp_ines", CAUSE) == 1
    assert handlers.erase(room, officer, "sp_ines", CAUSE) == 0
    handlers.keep_contacts(room, [a_card("sp_ines", "ines@example.org", revision=9)])
    handlers.tell(room, told(an_offer("off_2")))
    room.sending.start()
    until("all over", lambda: not list(room.database.notices.find({"due_at": {"$exists": True}})))
    assert far_side.taken == []
    assert room.database.data_keys.count_documents({"keyAltNames": "sp_ines"}) == 0
    assert "sealed" not in room.database.wishes.find_one()
    assert room.database.notices.count_documents({"sealed_link": {"$exists": True}}) == 0
    assert len(events_of(room, ContactErased, "wishes")) == 1
    with pytest.raises(Refusal):
        handlers.erase(room, Caller("nurse_1", "nurse", "org_1"), "sp_ines", CAUSE)


def test_wishes_are_sealed_and_nobody_elses_change_is_lost(room):
    """No address in the database's bytes; a change from an old reading is refused; strangers are refused."""
    wish(room, email="marked.quillfeather@example.org", phone="+13125550199")
    stored = b"".join(
        encode(row) for name in room.database.list_collection_names() for row in room.database[name].find()
    )
    assert b"quillfeather" not in stored
    assert b"3125550199" not in stored
    with pytest.raises(Refusal) as stale:
        handlers.change_contact(room, INES, "sp_ines", {"language": "es"}, version=0, cause=CAUSE)
    assert stale.value.kind is Kind.CONFLICT
    with pytest.raises(Refusal) as stranger:
        handlers.get_contact(room, replace(INES, actor_id="sp_other"), "sp_ines", CAUSE)
    assert stranger.value.kind is Kind.FORBIDDEN
    seen = handlers.get_contact(room, INES, "sp_ines", CAUSE)
    assert seen.wishes.email == "marked.quillfeather@example.org"


def test_staff_reach_only_their_own_people(room):
    """A coordinator changes how somebody of their programme is reached, and nobody else's; a stranger is nobody's."""
    card = Card("specialist-contact:sp_tomas", "sp_tomas", 1, Contact("tomas@example.org"), "prog_1")
    handlers.keep_contacts(room, [card])
    own, other = (Caller("co_1", "coordinator", name, "HOPERAT") for name in ("prog_1", "prog_2"))
    assert wish(room, own, "sp_tomas", language="es").fields == ["language"]
    for caller, person_id in (
        (other, "sp_tomas"),
        (own, "sp_nobody"),
        (replace(own, organization_id=""), "sp_ines"),
    ):
        with pytest.raises(Refusal) as refused:
            handlers.get_contact(room, caller, person_id, CAUSE)
        assert refused.value.code == "not-your-organization"


def test_a_webhook_is_signed_rotated_and_disabled(room, posted_side):
    """The reference library accepts it with both secrets; three failures in a row end it, and the mail goes."""
    wanted = {"webhook_url": f"{posted_side.url}/hook", "channels": (Channel.WEBHOOK, Channel.EMAIL)}
    first = handlers.change_contact(room, INES, "sp_ines", wanted, version=0, cause=CAUSE).webhook_secret
    second = handlers.change_contact(
        room, INES, "sp_ines", {}, version=1, rotate_webhook_secret=True, cause=CAUSE
    ).webhook_secret
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    settled(room, "sent")
    [taken] = posted_side.taken
    for secret in (first, second):
        verified = Webhook(secret).verify(taken.body, {k.lower(): v for k, v in taken.headers.items()})
        assert verified["data"]["urgency"] == "immediate"
    assert json.loads(taken.body)["type"] == "notice.created"
    posted_side.faults.extend(["500"] * 3)
    handlers.tell(room, told(an_offer("off_2")))
    settled(room, "sent", 2)
    assert room.addresses.closed([room.people.mark(Channel.WEBHOOK, f"{posted_side.url}/hook")])
    row = room.database.notices.find_one({"offer_id": "off_2"})
    assert [attempt["channel"] for attempt in row["attempts"]] == ["webhook"] * 3 + ["email"]


def test_a_webhook_into_our_own_network_is_refused(environ, room):
    """Nobody makes us knock at doors behind our own walls."""
    strict = build_room(replace(room.settings, post_allow_private=False, sms_url=""))
    for url in ("https://127.0.0.1/x", "https://169.254.169.254/latest", "http://example.org/"):
        wish(room, webhook_url="")
        try:
            wish(strict, webhook_url=url)
        except Refusal as refused:
            assert refused.faults[0].path == "wishes.webhook_url"
            continue
        endpoint = outbound.read(url, may_be_private=False)
        assert PostLine(strict.poster).post(endpoint, b"{}", {}).trouble is Outcome.UNREACHABLE


def test_a_mail_that_came_back_is_a_bounce(room, web, far_side, keys_dir):
    """The mail server hands a returned mail over: the notice is marked, said, and the phone has its turn."""
    room.sending.start()
    handlers.tell(room, told(an_offer()))
    [document] = settled(room, "sent")
    raw = a_returned_mail(notice_id=document["_id"])
    assert web.post("/mail/returned", content=raw).status_code == 401
    token = identity.mint((keys_dir / "issuer.pem").read_bytes(), actor_id="mta", role="system")
    handed = web.post("/mail/returned", content=raw, headers={"Authorization": f"Bearer {token}"})
    assert handed.status_code == 204
    [event] = events_of(room, NoticeBounced, "notices")
    assert (event.channel, event.reason_code, event.offer_id) == ("email", "no-mailbox", "off_1")
    assert room.addresses.closed([room.people.mark(Channel.EMAIL, "ines@example.org")])


def test_routine_news_become_one_letter(room, far_side):
    """Three pieces of routine news for somebody who wants one letter: one mail, three notices sent, one event each.

    Also where the work breaks between folding and sending: the leader's lease runs out and it leads again.
    """
    now = datetime.now(UTC)
    wish(room, person_id="sp_ines", digest_minute=(now.hour * 60 + now.minute + 30) % 1440)
    news = [
        an_offer(
            f"off_{number}",
            event="referral.status-changed.v1",
            status="met",
            referral_id=f"ref_{number}",
            urgency="routine",
            link_token="",
            deadline_at=None,
        )
        for number in range(3)
    ]
    handlers.tell(room, told(*news))
    room.sending.start()
    until("all wait", lambda: room.database.notices.count_documents({"is_for_digest": True}) == 3)
    assert far_side.taken == []
    room.database.notices.update_many({}, {"$set": {"due_at": now}})
    failpoints.enable("notice.after_fold_before_send=raise@1")
    room.sending.ring()
    until("it broke in the middle", lambda: room.database.notices.find_one({"state": "folded"}))
    settled(room, "sent", 3)
    failpoints.enable("")
    [taken] = far_side.taken
    assert taken.message["Subject"] == "You have 3 new messages"
    assert len({event.notice_id for event in said(room)}) == 3


def test_one_address_is_not_flooded(room, far_side):
    """Above the limit of an hour what can wait does, and offers do not."""
    room.sending.courier.packing.pace.per_hour = 2
    news = [
        an_offer(
            f"off_{number}",
            event="checkin.due.v1",
            number=number,
            urgency="routine",
            link_token="",
            minutes=600,
        )
        for number in range(5)
    ]
    handlers.tell(room, told(*news, an_offer("off_now")))
    room.sending.start()
    settled(room, "sent", 3)
    until(
        "the others wait",
        lambda: len(list(room.database.notices.find({"state": "due", "version": {"$gt": 1}}))) == 3,
    )
    assert {row["offer_id"] for row in notices(room, "sent")} >= {"off_now"}


def test_a_dead_notice_is_listed_and_sent_again(room, far_side):
    """What was refused is listed; replayed it arrives; an offer whose moment is over is not replayed."""
    operator = Caller("eng_1", "engineer", "", "HOPERAT")
    far_side.faults.extend(["550-data"])
    news = an_offer("off_1", event="checkin.due.v1", number=1, link_token="")
    wish(room, channels=(Channel.EMAIL,))
    room.sending.start()
    handlers.tell(room, told(news))
    settled(room, "dead")
    [dead] = handlers.list_dead(room, operator, limit=0, cause=CAUSE)
    handlers.replay_notice(room, operator, dead.notice_id, CAUSE)
    settled(room, "sent")
    assert [taken.was_accepted for taken in far_side.taken] == [False, True]
    reasons = {row["action"] for row in _reads(room)}
    assert {"search", "replay"} <= reasons


def _reads(room):
    rows = [row for document in room.database.accesses.find() for row in document["outbox"]]
    return [
        {"action": RecordRead.FromString(row["data"]).action}
        for row in rows
        if row["type"] == "record.read.v1"
    ]


def test_many_scheduled_notices_of_one_minute_stall_nobody(room, far_side):
    """While two hundred notices are due at once, a new immediate offer goes out among them."""
    later = [an_offer(f"off_{number}", minutes=600, urgency="urgent") for number in range(200)]
    handlers.tell(room, told(*later))
    room.sending.start()
    threading.Thread(target=handlers.tell, args=[room, told(an_offer("off_now"))]).start()
    until(
        "the offer is out",
        lambda: (
            notices(room, "sent") and room.database.notices.find_one({"offer_id": "off_now", "state": "sent"})
        ),
    )
