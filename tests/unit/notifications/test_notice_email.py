"""The message on the wire: both parts, proper headers, one Message-ID for a notice however often it is tried."""

from __future__ import annotations

import email
from email import policy
from email.utils import parsedate_to_datetime

import pytest

from services.notifications.channels import Parcel
from services.notifications.channels.mail import EmailWay, SmtpServer, compose
from services.notifications.domain.contacts import Contact
from services.notifications.domain.intents import Intent
from services.notifications.domain.notices import Attempt
from services.notifications.domain.reach import Reach
from services.notifications.leaving import Leaving
from services.notifications.wording.letters import Letters
from tests.unit.notifications.notice_builders import NOW, a_notice

SERVER = SmtpServer(
    "127.0.0.1", 25, "Kindred <notices@kindred.example.org>", user="u", password="hush", is_starttls=True
)


def a_message(
    number=1, is_possible_repeat=False, language="es", address="ines@example.org", intent=Intent.OFFER_MADE
):
    notice = a_notice(intent)
    letter = Letters("https://answers.example.org").write(notice, Contact(language=language), "tok")
    attempt = Attempt(number, NOW, is_possible_repeat=is_possible_repeat)
    raw = compose(letter, notice, attempt, address=address, server=SERVER, now=NOW)
    return email.message_from_bytes(raw, policy=policy.SMTP), raw


def test_a_message_has_both_parts_and_proper_headers():
    """Plain text first, HTML second, and the headers RFC 5322 asks for."""
    message, raw = a_message()
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert parsedate_to_datetime(message["Date"]) == NOW
    assert message["From"] == "Kindred <notices@kindred.example.org>"
    assert message["Content-Language"] == "es"
    assert message["Auto-Submitted"] == "auto-generated"
    assert not message.defects
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_a_repeat_has_the_message_id_of_the_first_and_says_what_it_is():
    """Every attempt of a notice has one Message-ID; a possible repeat is marked in its own header (P4)."""
    first, _ = a_message(1)
    second, _ = a_message(2, is_possible_repeat=True)
    assert first["Message-ID"] == second["Message-ID"] == f"<{a_notice().notice_id}@kindred.example.org>"
    assert (first["X-Kindred-Attempt"], second["X-Kindred-Attempt"]) == ("1", "2; possible-repeat")


def test_what_can_wait_is_ended_with_one_click():
    """Routine news carry both headers of RFC 8058 with a link that names nobody; an offer is no list."""
    leaving = Leaving.under(b"m" * 96, "https://n.example.org/")
    letter = Letters("https://answers.example.org").write(a_notice(Intent.PERSON_MET), Contact())
    heads = {}
    for intent in (Intent.PERSON_MET, Intent.OFFER_MADE):
        parcel = Parcel(a_notice(intent), Attempt(1, NOW), Reach(Contact()), letter, "a@example.org", NOW)
        raw = EmailWay(SERVER, leaving).compose(parcel)
        heads[intent] = email.message_from_bytes(raw, policy=policy.SMTP)
    met = heads[Intent.PERSON_MET]
    where = met["List-Unsubscribe"].strip(" <>")
    assert met["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert where.startswith("https://n.example.org/notices/leave/")
    assert leaving.person_of(where.rpartition("/")[2]) == a_notice().recipient_id
    assert a_notice().recipient_id not in where
    assert heads[Intent.OFFER_MADE]["List-Unsubscribe"] is None


@pytest.mark.parametrize("token", ["", "x", "gAAAAAB", "gAAAAABé", "../.."])
def test_a_made_up_link_ends_nothing(token):
    """Only a token that we made names somebody; another service's key reads none of ours."""
    leaving = Leaving.under(b"m" * 96, "")
    assert leaving.person_of(token) == ""
    assert Leaving.under(b"n" * 96, "").person_of(leaving.token("sp_1")) == ""


def test_a_signer_finds_what_it_signs():
    """From, envelope and Message-ID are of one domain and each header that DKIM signs stands once (RFC 6376 5.4)."""
    message, _ = a_message()
    domain = SERVER.domain
    assert message["From"].endswith(f"@{domain}>") and message["Message-ID"].endswith(f"@{domain}>")
    assert SERVER.sender_address.endswith(f"@{domain}")
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"):
        assert len(message.get_all(name)) == 1


def test_spanish_arrives_as_it_was_written():
    """Accents survive the wire, in the subject too."""
    message, _ = a_message()
    assert message["Subject"] == "Por favor, responda antes de: 7:05 p.m. UTC, martes 5 de mayo"
    assert a_message(intent=Intent.HELP_ASSIGNED)[0]["Subject"] == "Alguien dijo que sí a su solicitud AA7B31"
    assert "diga sí o no" in message.get_body(("plain",)).get_content()
    assert "diga sí o no" in message.get_body(("html",)).get_content()


def test_an_address_cannot_bring_headers_of_its_own():
    """A line break in an address is an error, never a second header."""
    with pytest.raises(ValueError):
        a_message(address="ines@example.org\r\nBcc: all@example.org")


def test_the_password_never_shows():
    """A server's settings can be printed without their secret."""
    assert "hush" not in repr(SERVER)
