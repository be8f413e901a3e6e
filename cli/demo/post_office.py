"""The far side's own mail folder, read as its recipients would: who got which notice, and the link in it."""

import email
import email.policy
import re
import threading
from email.message import EmailMessage
from pathlib import Path

from cli.reach import Reach

RPC_S = 5.0
LINK = re.compile(r"http://\S+/answer/\S+")


class PostOffice:
    """Finds the mail of a notice by its Message-ID; each file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links: dict[str, str] = {}
        self._read: set[str] = set()
        self._lock = threading.Lock()

    def links(self, reach: Reach, referral_id: str) -> dict[str, str]:
        """The answer link of every specialist whose offer mail about this referral has arrived."""
        from kindred.notifications.v1 import notifications_pb2

        asked = notifications_pb2.ListNoticesRequest(referral_id=referral_id)
        metadata = reach.metadata("coordinator", "demo-coordinator", purpose="COC")
        notices = reach.notifications().ListNotices(asked, timeout=RPC_S, metadata=metadata).notices
        self._open_new()
        return {
            notice.recipient_id: self._links[notice.notice_id]
            for notice in notices
            if notice.intent == "offer-made" and notice.notice_id in self._links
        }

    def _open_new(self) -> None:
        with self._lock:
            for path in self._folder.glob("*.eml"):
                if path.name not in self._read:
                    self._read.add(path.name)
                    content = path.read_bytes()
                    if link := LINK.search(text_of(content)):
                        self._links[message_id(content)] = link.group()


def message_id(mail: bytes) -> str:
    """The notice a mail belongs to: the left side of its Message-ID."""
    return str(_parsed(mail).get("Message-ID", "")).strip().strip("<>").partition("@")[0]


def text_of(mail: bytes) -> str:
    """The words of a mail, as plain text."""
    body = _parsed(mail).get_body(preferencelist=("plain",))
    return str(body.get_content()) if body is not None else ""


def _parsed(mail: bytes) -> EmailMessage:
    return email.message_from_bytes(mail, policy=email.policy.default)
