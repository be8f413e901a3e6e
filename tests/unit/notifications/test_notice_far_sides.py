"""What far sides say and what we say to them: SMS segments, replies, signatures, webhooks, bounces."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from services.notifications.channels import bounces, replies, segments, sms, webhook
from services.notifications.channels.posting import Replied
from services.notifications.channels.replies import Meaning
from services.notifications.domain.notices import Outcome
from services.notifications.domain.standing import Standing

AT = datetime.fromtimestamp(1_800_000_000, UTC)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("", 1),
    ],
)
def test_segments_are_counted_as_networks_count_them(text, count):
    """160 and 153 characters of the 7-bit alphabet, 70 and 67 of UCS-2; two units are never torn apart."""
    assert segments.count(text) == count


@given(words=st.text(max_size=60), link=st.text("abc?=/", max_size=20))
@settings(max_examples=40)
def test_a_form_is_what_everybody_posts(words, link):
    """Line by line, remembered or not, it is the form that the standard library makes of the whole."""
    message = {"Body": f"{words}\nhttps://a.example.org/{link}", "From": "+13125550100"}
    assert [sms.form_of(message) for _ in range(2)] == [urlencode(message)] * 2


@given(st.text(max_size=400))
def test_a_longer_text_never_takes_fewer_segments(text):
    """Counting is monotonic and never zero."""
    assert 1 <= segments.count(text) <= segments.count(text + "x")


def test_spanish_stays_in_the_small_alphabet():
    """An accent that the alphabet lacks is left out rather than halving what fits."""
    assert segments.plain("Sí, mañana… ¿qué día?") == "Si, mañana... ¿qué dia?"
    assert segments.is_seven_bit(segments.plain("Sí, mañana… ¿qué día? Não, até amanhã"))


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("STOP", Meaning.STOP),
        (" Stop. ", Meaning.STOP),
        ("stopall", Meaning.STOP),
        ("please stop texting me", Meaning.STOP),
        ("Stop!!! leave me alone", Meaning.STOP),
        ("ALTO", Meaning.STOP),
        ("¡Basta!", Meaning.STOP),
        ("no me escriban más", Meaning.STOP),
        ("Ya no quiero mensajes", Meaning.STOP),
        ("BAJA", Meaning.STOP),
        ("START", Meaning.START),
        ("iniciar", Meaning.START),
        ("Sí", Meaning.START),
        ("HELP", Meaning.HELP),
        ("Prefs", Meaning.CHOOSE),
        ("PREFERENCIAS.", Meaning.CHOOSE),
        ("Preferências", Meaning.CHOOSE),
        ("Información", Meaning.HELP),
        ("Ayuda", Meaning.HELP),
        ("Sorry, wrong number", Meaning.WRONG_NUMBER),
        ("Número equivocado", Meaning.WRONG_NUMBER),
        ("no soy esa persona", Meaning.WRONG_NUMBER),
        ("Who is this?", Meaning.WHO_IS_THIS),
        ("who's this", Meaning.WHO_IS_THIS),
        ("¿Quién es?", Meaning.WHO_IS_THIS),
        ("on my way, the bus does not stop here", Meaning.OTHER),
        ("no", Meaning.OTHER),
        ("", Meaning.OTHER),
    ],
)
def test_a_reply_is_understood(words, meaning):
    """Commands in English and Spanish, and what people really write, with and without accents."""
    assert replies.meaning_of(words) is meaning


@pytest.mark.parametrize("meaning", list(Meaning))
@pytest.mark.parametrize("spanish", [True, False])
def test_an_answer_fits_one_segment(meaning, spanish):
    """Whoever holds the phone gets one short sentence or two, or nothing."""
    text = replies.answer(meaning, is_spanish=spanish)
    assert segments.count(segments.plain(text)) == 1
    assert (text == "") is (meaning is Meaning.OTHER)


def test_a_reply_is_answered_in_its_own_language():
    """The words decide; where they do not, the language we wrote in."""
    assert replies.is_spanish("ALTO", "en")
    assert not replies.is_spanish("STOP", "es")
    assert replies.is_spanish("???", "es")


def test_the_signature_is_the_one_of_the_documentation():
    """Twilio's own worked example (twilio.com/docs/usage/security) gives Twilio's own result."""
    fields = [
        ("Digits", "1234"),
        ("To", "+18005551212"),
        ("From", "+14158675310"),
        ("Caller", "+14158675310"),
        ("CallSid", "CA1234567890ABCDE"),
    ]
    url = "https://example.com/myapp.php?foo=1&bar=2"
    given = replies.signature("12345", url, fields)
    assert given == "L/OH5YylLD5NRKLltdqwSvS0BnU="
    assert replies.is_signed("12345", url, fields, given)
    assert not replies.is_signed("12346", url, fields, given)
    assert not replies.is_signed("12345", url, [*fields, ("Body", "x")], given)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "standing"),
    [
        (201, {"sid": "SM1", "status": "queued"}, Outcome.ACCEPTED, None),
        (400, {"code": 21610}, Outcome.REFUSED, Standing.OPTED_OUT),
        (400, {"code": 21211}, Outcome.REFUSED, Standing.BOUNCED),
        (400, {"code": 21617}, Outcome.REFUSED, None),
        (401, {"code": 20003}, Outcome.DEFERRED, None),
        (429, {"code": 20429}, Outcome.DEFERRED, None),
        (503, {}, Outcome.DEFERRED, None),
        (500, {}, Outcome.UNKNOWN, None),
    ],
)
def test_an_answer_of_the_sms_api_means_one_thing(status, body, outcome, standing):
    """Taken, refused for good, ours to mend, later, or nobody knows: each answer is one of these."""
    answer = sms.understood(Replied(status, json.dumps(body).encode()))
    assert (answer.outcome, answer.standing) == (outcome, standing)


def test_what_is_no_json_is_no_crash():
    """A yes that is cut off half-way is no yes; a no stays one."""
    assert sms.understood(Replied(201, b"<html>")).outcome is Outcome.UNKNOWN
    assert sms.understood(Replied(201, b'{"sid": ')).outcome is Outcome.UNKNOWN
    assert sms.understood(Replied(400, b"[1]")).outcome is Outcome.REFUSED


def test_a_receiver_of_the_standard_accepts_old_and_new_secret():
    """While a secret is rotated the reference library accepts the message with either of them, and with no other."""
    new, old, other = (webhook.new_secret() for _ in range(3))
    hook = webhook.Hook("ntc_1", 1_800_000_000, b'{"type":"notice.offer-made"}', (new, old))
    values = hook.headers()["webhook-signature"].split()
    for secret, value in zip((new, old), values, strict=True):
        signed = Webhook(secret).sign("ntc_1", AT, hook.body.decode())
        assert signed == value
    assert Webhook(other).sign("ntc_1", AT, hook.body.decode()) not in values


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.ACCEPTED), (204, Outcome.ACCEPTED), (410, Outcome.REFUSED), (500, Outcome.DEFERRED)],
)
def test_an_endpoints_answer_means_one_thing(status, outcome):
    """2xx is a yes, 410 is good-bye, everything else is tried again."""
    assert webhook.understood(Replied(status)).outcome is outcome


def a_returned_mail(action="failed", status="5.1.1", notice_id="ntc_" + "0a" * 16):
    """As a mail server writes it (RFC 3464)."""
    return f"""From: MAILER-DAEMON@mx.example.org
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
MIME-Version: 1.0

--b
Content-Type: text/plain

Your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; ines@example.org
Action: {action}
Status: {status}

--b
Content-Type: text/rfc822-headers

Message-ID: <{notice_id}@kindred.example.org>
Subject: x

--b--
""".replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("status", "reason"),
    [("5.1.1", "no-mailbox"), ("5.2.2", "mailbox-full"), ("5.7.1", "undelivered"), ("x", "undelivered")],
)
def test_a_returned_mail_names_its_notice_and_why(status, reason):
    """A delivery status notification leads back to the notice by our own Message-ID."""
    bounce = bounces.read(a_returned_mail(status=status))
    assert (bounce.notice_id, bounce.reason_code) == ("ntc_" + "0a" * 16, reason)


def test_a_delay_and_an_ordinary_mail_are_no_bounce():
    """What may still arrive did not bounce; a person's mail is nobody's receipt."""
    assert bounces.read(a_returned_mail(action="delayed")) is None
    assert bounces.read(a_returned_mail(notice_id="somebody-else")) is None
    assert bounces.read(b"Subject: hello\r\n\r\nhi") is None


@given(st.binary(max_size=500))
def test_no_mail_breaks_the_reader(raw):
    """Whatever comes back is read or left, never a crash."""
    assert bounces.read(raw) is None
