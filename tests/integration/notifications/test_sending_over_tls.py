"""Notices over STARTTLS with a login: to whom nobody can vouch for, neither a word nor the password goes."""

from __future__ import annotations

import base64
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from chassis import settings as chassis_settings
from services.notifications import handlers
from services.notifications.bootstrap import Room, build_room, prepare
from services.notifications.settings import Settings
from tests.integration.notifications.certificates import (
    SOMEBODY_ELSE,
    THIS_MACHINE,
    Authority,
    an_authority,
)
from tests.integration.notifications.driving_notices import a_card, an_offer, notices, settled, told, until
from tests.integration.notifications.far_side import FarSide

USER, PASSWORD = "kindred-notices", "quillfeather-over-the-wire"
# Whatever a login sends: as it is, or as PLAIN and LOGIN wrap it.
GIVEAWAYS = (
    PASSWORD.encode(),
    base64.b64encode(PASSWORD.encode()),
    base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()),
    b"AUTH",
    b"MAIL FROM",
    b"ines@example.org",
)


def admits(server: Any, session: Any, envelope: Any, mechanism: str, told_by: LoginPassword) -> AuthResult:
    """The one account of the far side."""
    is_known = told_by == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_known, handled=False)


@pytest.fixture
def authority(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The one authority this machine trusts, named to OpenSSL as an operator would."""
    authority = an_authority(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return authority


@pytest.fixture
def far_side() -> Iterator[FarSide]:
    """A server that waits for its options before it listens."""
    far_side = FarSide()
    yield far_side
    far_side.stop()


@pytest.fixture
def strict(far_side: FarSide, authority: Authority) -> FarSide:
    """It takes mail over TLS and after a login only."""
    far_side.options = {
        "tls_context": authority.server(THIS_MACHINE),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": admits,
    }
    return far_side.start()


def open_room(environ: dict[str, str], far_side: FarSide, **changes: str) -> Room:
    """Notifications with STARTTLS and a login, its senders running and one offer told."""
    secure = {
        "KINDRED_SMTP_PORT": str(far_side.port),
        "KINDRED_SMTP_STARTTLS": "true",
        "KINDRED_SMTP_USER": USER,
        "KINDRED_SMTP_PASSWORD": PASSWORD,
    }
    room = build_room(chassis_settings.read(Settings, environ | secure | changes))
    prepare(room)
    handlers.keep_contacts(room, [a_card("sp_ines", "ines@example.org")])
    handlers.tell(room, told(an_offer()))
    room.sending.start()
    return room


@pytest.fixture
def opened(environ: dict[str, str]) -> Iterator[Any]:
    """Opens rooms, and stops their senders afterwards."""
    rooms: list[Room] = []

    def open_one(far_side: FarSide, **changes: str) -> Room:
        rooms.append(open_room(environ, far_side, **changes))
        return rooms[-1]

    yield open_one
    for room in rooms:
        room.sending.stop()


def still_due_after_a_try(room: Room) -> list[str]:
    """The outcomes so far of the one notice, which was tried and stays due."""

    def tried() -> list[str]:
        return [
            attempt["outcome"]
            for notice in notices(room)
            if notice["state"] == "due"
            for attempt in notice["attempts"]
        ]

    return until("a failed attempt of a notice that stays due", tried)


def test_a_notice_arrives_over_tls_after_a_login(strict: FarSide, opened: Any) -> None:
    """A server that insists on STARTTLS and AUTH takes the notice; nothing but the greeting went unencrypted."""
    room = opened(strict)
    settled(room, "sent")
    [taken] = strict.taken
    assert taken.recipient == "ines@example.org"
    assert b"AUTH" in strict.overheard(encrypted=True)
    in_the_clear = strict.overheard(encrypted=False).upper().split(b"\r\n")
    assert [line.split(b" ")[0] for line in in_the_clear if line] == [b"EHLO", b"STARTTLS"]


def test_many_notices_need_one_login_for_each_connection(strict: FarSide, opened: Any) -> None:
    """A kept connection is not encrypted and logged in to again for every notice."""
    room = opened(strict)
    handlers.tell(room, told(*[an_offer(f"off_more_{number}") for number in range(20)]))
    settled(room, "sent", 21)
    assert strict.overheard(encrypted=True).count(b"AUTH ") <= 4
    assert len(strict.accepted()) == 21


def test_a_wrong_password_sends_nothing_and_is_tried_again(strict: FarSide, opened: Any) -> None:
    """The trouble is ours and not the recipient's: the notice stays due, and is no dead letter."""
    room = opened(strict, KINDRED_SMTP_PASSWORD="yesterday's")
    assert set(still_due_after_a_try(room)) == {"unreachable"}
    assert strict.taken == []


def test_a_server_without_tls_hears_neither_the_notice_nor_the_password(
    far_side: FarSide, authority: Authority, opened: Any
) -> None:
    """It offers AUTH in the clear, as somebody in the middle would who took STARTTLS away; nobody falls for it."""
    far_side.options = {"authenticator": admits, "auth_require_tls": False}
    room = opened(far_side.start())
    assert set(still_due_after_a_try(room)) == {"unreachable"}
    wire = far_side.overheard(encrypted=False)
    assert wire.upper().startswith(b"EHLO")
    assert [word for word in GIVEAWAYS if word in wire] == []
    assert far_side.taken == []


def test_the_wire_is_really_overheard(far_side: FarSide, authority: Authority) -> None:
    """The test before means something: a client that logs in without TLS shows its password and address there."""
    far_side.options = {"authenticator": admits, "auth_require_tls": False}
    far_side.start()
    with smtplib.SMTP("127.0.0.1", far_side.port, timeout=5) as careless:
        careless.login(USER, PASSWORD)
        careless.sendmail("a@example.org", ["ines@example.org"], b"Subject: x\r\n\r\nx\r\n")
    wire = far_side.overheard(encrypted=False)
    assert {b"AUTH", b"ines@example.org"} <= {word for word in GIVEAWAYS if word in wire}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"KINDRED_SMTP_USER": USER, "KINDRED_SMTP_PASSWORD": PASSWORD}, "KINDRED_SMTP_STARTTLS"),
        ({"KINDRED_SMTP_PASSWORD": PASSWORD, "KINDRED_SMTP_STARTTLS": "true"}, "belong together"),
        ({"KINDRED_SMTP_STARTTLS": "true", "KINDRED_SMTP_IMPLICIT_TLS": "true"}, "exclude"),
        ({"KINDRED_SMS_URL": "https://api.example.org"}, "KINDRED_SMS_TOKEN"),
        ({"KINDRED_SMS_URL": "http://api.example.org"}, "must be https"),
    ],
)
def test_a_secret_is_never_configured_to_travel_in_the_clear(
    environ: dict[str, str], given: dict[str, str], named: str
) -> None:
    """Nothing starts where a password or token would be sent without TLS; the fault names the setting, not the secret."""
    with pytest.raises(chassis_settings.SettingsFaults, match=named) as refused:
        chassis_settings.read(Settings, environ | given)
    assert PASSWORD not in str(refused.value)


def test_a_server_with_tls_from_the_first_byte(far_side: FarSide, authority: Authority, opened: Any) -> None:
    """On port 465's terms not even the greeting is in the clear (RFC 8314)."""
    far_side.options = {
        "ssl_context": authority.server(THIS_MACHINE),
        "authenticator": admits,
        "auth_require_tls": False,
        "auth_required": True,
    }
    room = opened(far_side.start(), KINDRED_SMTP_STARTTLS="false", KINDRED_SMTP_IMPLICIT_TLS="true")
    settled(room, "sent")
    assert [taken.recipient for taken in far_side.taken] == ["ines@example.org"]


@pytest.mark.parametrize("fault", ["unknown-authority", "another-name", "expired"])
def test_a_wrong_certificate_is_refused(
    far_side: FarSide, authority: Authority, opened: Any, tmp_path: Any, fault: str
) -> None:
    """Signed by a stranger, made out to another server, or ended: neither the notice nor the password is sent."""
    context = {
        "unknown-authority": lambda: an_authority(tmp_path / "stranger").server(THIS_MACHINE),
        "another-name": lambda: authority.server(SOMEBODY_ELSE),
        "expired": lambda: authority.server(THIS_MACHINE, days=-1),
    }[fault]()
    far_side.options = {"tls_context": context, "authenticator": admits, "auth_require_tls": False}
    room = opened(far_side.start())
    assert set(still_due_after_a_try(room)) == {"unreachable"}
    wire = far_side.overheard(encrypted=False) + far_side.overheard(encrypted=True)
    assert b"STARTTLS" in wire.upper()
    assert [word for word in GIVEAWAYS if word in wire] == []
    assert far_side.taken == []
