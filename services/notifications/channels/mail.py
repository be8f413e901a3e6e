"""E-mail: one message per attempt, one kept-open SMTP connection per sender, and an honest answer for each try.

The answer tells apart what is certain from what is not (P4): before the server has the whole message nothing was
taken; once the message is on its way and no reply comes back, nobody knows.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.header import Header
from email.policy import Compat32
from email.utils import format_datetime, parseaddr
from functools import cached_property, lru_cache
from typing import Any, Final

from services.notifications.channels import Parcel
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Attempt, Notice, Outcome
from services.notifications.domain.standing import Standing
from services.notifications.leaving import Leaving
from services.notifications.wording.letters import Letter

# A server may count or time what comes over one connection: a fresh one after this many messages.
_MOST_PER_CONNECTION: Final = 500
_START_OF_TEXT: Final = 354
_LONGEST_LINE: Final = 78


_WIRE: Final = Compat32(linesep="\r\n")
# There is no such mailbox, or no such domain, and will not be one (RFC 3463): nothing is sent there any more.
_NO_MAILBOX: Final = re.compile(rb"5\.1\.(1|2|3|6|10)\b")
_PART_HEADS: Final = {
    kind: (
        f'\r\nContent-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    ).encode()
    for kind in ("plain", "html")
}
# A mailbox without quotes (RFC 5321, 4.1.2), which goes into a command as it is.
_PLAIN_MAILBOX: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class SmtpServer:
    """The far side, as the settings name it. `sender` is an address, or a name and an address."""

    host: str
    port: int
    sender: str
    is_starttls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 10.0
    # TLS from the first byte (RFC 8314, port 465) instead of STARTTLS.
    is_implicit_tls: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError where a password would cross the wire in the clear."""
        if (self.user or self.password) and not (self.is_starttls or self.is_implicit_tls):
            raise ValueError("credentials need TLS")

    @cached_property
    def sender_address(self) -> str:
        """The address alone, for the envelope."""
        return parseaddr(self.sender)[1]

    @cached_property
    def from_line(self) -> bytes:
        """The header that names us."""
        return _header("From", self.sender)

    @cached_property
    def domain(self) -> str:
        """Our own domain: it makes Message-IDs ours and greets the server."""
        return self.sender_address.rpartition("@")[2] or "localhost"


def compose(
    letter: Letter,
    notice: Notice,
    attempt: Attempt,
    *,
    address: str,
    server: SmtpServer,
    now: datetime,
    unsubscribe: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The message as it goes over the wire (RFC 5322, 2046): the same words as plain text and as HTML.

    The Message-ID comes from the notice alone, so a repeat carries the id of the first and mail systems can drop it.
    """
    if not address.isprintable():
        raise ValueError("an address has one line")
    mark = f"--=_{notice.notice_id}".encode()
    lines = [
        _subject(letter.subject),
        # "=_" cannot stand in a quoted-printable text (RFC 2045, 6.7), so that no boundary has to be searched for.
        b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="', mark[2:], b'"\r\n',
        server.from_line,
        _header("To", address),
        _date(int(now.timestamp())),
        _header("Message-ID", f"<{notice.notice_id}@{server.domain}>"),
        _header("Content-Language", letter.language),
        b"Auto-Submitted: auto-generated\r\n",
        _header("X-Kindred-Attempt", f"{attempt.number}{'; possible-repeat' * attempt.is_possible_repeat}"),
        *(_header(name, value) for name, value in unsubscribe),
        b"\r\n",
        mark, _PART_HEADS["plain"], _quoted(letter.text), b"\r\n",
        mark, _PART_HEADS["html"], _quoted(letter.html), b"\r\n",
        mark, b"--\r\n",
    ]  # fmt: skip
    return b"".join(lines)


def _quoted(words: str) -> bytes:
    """Text as every server takes it, in lines of at most 76 characters (RFC 2045, 6.7)."""
    return b"\r\n".join([_line(line) if "://" in line else _known_line(line) for line in words.splitlines()])


def _line(words: str) -> bytes:
    # A soft break has the end of line of the text, which one line has none of.
    return b2a_qp(words.encode(), istext=True).replace(b"\n", b"\r\n")


# A wave is one letter but for the lines of its links, which are secrets and not remembered.
_known_line = lru_cache(maxsize=4_096)(_line)


@lru_cache(maxsize=8)
def _date(second: int) -> bytes:
    return f"Date: {format_datetime(datetime.fromtimestamp(second, UTC))}\r\n".encode()


def _header(name: str, value: str) -> bytes:
    """Folded and encoded by the standard library where it needs that; one short plain line does not."""
    line = f"{name}: {value}"
    if len(line) <= _LONGEST_LINE and line.isascii() and line.isprintable():
        return line.encode() + b"\r\n"
    return _WIRE.fold_binary(name, value)


@lru_cache(maxsize=256)
def _subject(words: str) -> bytes:
    """The line of the subject, words beyond ASCII as encoded words (RFC 2047); a wave has the same one."""
    if words.isascii():
        return _header("Subject", words)
    encoded: Any = Header(words, "utf-8", header_name="Subject")
    return _WIRE.fold_binary("Subject", encoded)


def _path(address: str) -> str:
    """The address as a command names it; what is not plain is read as mail programs read it, which takes longer."""
    return f"<{address}>" if _PLAIN_MAILBOX.fullmatch(address) else smtplib.quoteaddr(address)


class EmailWay:
    """E-mail over one SMTP server."""

    channel: Final = Channel.EMAIL
    most_in_hand: Final = 32

    def __init__(self, server: SmtpServer, leaving: Leaving) -> None:
        self.server, self.leaving = server, leaving

    def compose(self, parcel: Parcel) -> bytes:
        """The message as it goes over the wire."""
        return compose(
            parcel.letter,
            parcel.notice,
            parcel.attempt,
            address=parcel.address,
            server=self.server,
            now=parcel.now,
            unsubscribe=self.leaving.headers(parcel.notice),
        )

    def open(self) -> EmailLine:
        """A line of one's own, not connected yet."""
        return EmailLine(self.server)


class EmailLine:
    """One connection to the SMTP server, opened when needed and reused; for one sender at a time."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._used = 0

    def send(self, address: str, message: bytes) -> Answer:
        """What the server said to the message; a kept connection that turns out to be dead is replaced once."""
        is_reused = self._smtp is not None
        answer = self._try(address, message)
        if is_reused and answer == Answer(Outcome.UNREACHABLE):
            answer = self._try(address, message)
        return answer

    def close(self) -> None:
        """The connection is gone, without waiting for the server's goodbye."""
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    def _try(self, address: str, message: bytes) -> Answer:
        try:
            smtp = self._connected()
            declined = self._announce(smtp, address)
        except OSError:  # smtplib's own errors are OSErrors too; their texts hold addresses and go nowhere
            self.close()
            return Answer(Outcome.UNREACHABLE)
        return declined or self._hand_over(smtp, message)

    def _announce(self, smtp: smtplib.SMTP, address: str) -> Answer | None:
        """None where the server waits for the text. Only the recipient's own 5xx is final: others are our trouble."""
        code, _ = smtp.docmd("MAIL", f"FROM:{_path(self._server.sender_address)}")
        if code // 100 != 2:
            return self._declined(smtp, code, Outcome.DEFERRED)
        code, text = smtp.docmd("RCPT", f"TO:{_path(address)}")
        if code // 100 != 2:
            answer = self._declined(smtp, code, Outcome.REFUSED if code // 100 == 5 else Outcome.DEFERRED)
            return replace(answer, standing=Standing.BOUNCED) if _NO_MAILBOX.match(text) else answer
        code, _ = smtp.docmd("DATA")
        if code != _START_OF_TEXT:
            return self._declined(smtp, code, Outcome.REFUSED if code // 100 == 5 else Outcome.DEFERRED)
        return None

    def _hand_over(self, smtp: smtplib.SMTP, message: bytes) -> Answer:
        try:
            # Every line of ours ends in CRLF, and no header begins with a dot (RFC 5321, 4.5.2).
            smtp.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            code, _ = smtp.getreply()
        except OSError:
            self.close()
            return Answer(Outcome.UNKNOWN)
        self._used += 1
        if self._used >= _MOST_PER_CONNECTION or code == 421:
            self.close()
        kinds = {2: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REFUSED}
        return Answer(kinds.get(code // 100, Outcome.UNKNOWN), code)

    def _declined(self, smtp: smtplib.SMTP, code: int, outcome: Outcome) -> Answer:
        if code == 421 or smtp.rset()[0] // 100 != 2:
            self.close()
        return Answer(outcome, code)

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = self._connect()
            self._used = 0
        return self._smtp

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        smtp = self._greeted()
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.is_starttls:
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo_or_helo_if_needed()
            if server.user:
                smtp.login(server.user, server.password)
        except OSError:
            smtp.close()
            raise
        return smtp

    def _greeted(self) -> smtplib.SMTP:
        server = self._server
        if not server.is_implicit_tls:
            return smtplib.SMTP(
                server.host, server.port, local_hostname=server.domain, timeout=server.timeout_s
            )
        return smtplib.SMTP_SSL(
            server.host,
            server.port,
            local_hostname=server.domain,
            timeout=server.timeout_s,
            context=ssl.create_default_context(),
        )
