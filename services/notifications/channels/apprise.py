"""Apprise: whatever else a programme uses to tell people, by one URL for each person (github.com/caronc/apprise).

An Apprise URL may lead anywhere, also into our own network, so the operator names the services that may be used.
Apprise says yes or no and not why: after a no nobody knows whether anything was taken, and the log says so (P4).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from chassis.errors import Fault, Kind, Refusal
from services.notifications.channels import Parcel
from services.notifications.domain.intents import Channel
from services.notifications.domain.notices import Answer, Outcome

# What a URL could use to get around the operator's rules: other certificates, other hosts, other patience.
_NOT_THEIRS: Final = frozenset(
    {"redirect", "verify", "retry", "wait", "rto", "cto", "store", "tz", "optional"}
)


@dataclass(frozen=True)
class Words:
    """What is told."""

    subject: str
    text: str


class AppriseWay:
    """Tells people through the services in `allowed`: "slack://", or "ntfys://ntfy.example.org" where it has a host."""

    channel: Final = Channel.APPRISE
    most_in_hand: Final = 4

    def __init__(self, allowed: Sequence[str], timeout_s: float) -> None:
        self.allowed, self.timeout_s = tuple(urlsplit(one) for one in allowed), timeout_s
        for one in self.allowed:
            check_service(one)

    def compose(self, parcel: Parcel) -> Words:
        """Subject and text; the service lays them out."""
        return Words(parcel.letter.subject, parcel.letter.text)

    def open(self) -> AppriseLine:
        """A line; every message is a request of its own."""
        return AppriseLine(self)

    def check(self, url: str) -> None:
        """Raises Refusal INVALID for a URL that Apprise does not know or the operator did not allow."""
        if not _may_go_to(url, self.allowed) or _plugin(url, self.timeout_s) is None:
            fault = Fault("wishes.apprise_url", "not-allowed", "This service is not one of those used here.")
            raise Refusal("contact-invalid", Kind.INVALID, fault.message, faults=[fault])


class AppriseLine:
    """Tells one message after the other."""

    def __init__(self, way: AppriseWay) -> None:
        self._way = way

    def send(self, address: str, message: Words) -> Answer:
        """ACCEPTED where the service said yes; else nobody knows."""
        plugin = _plugin(address, self._way.timeout_s) if _may_go_to(address, self._way.allowed) else None
        if plugin is None:
            return Answer(Outcome.REFUSED)
        try:
            was_taken = plugin.notify(body=message.text, title=message.subject, notify_type="info")
        except Exception:  # noqa: BLE001  a hundred services, each with failures of its own
            return Answer(Outcome.UNKNOWN)
        return Answer(Outcome.ACCEPTED if was_taken else Outcome.UNKNOWN)

    def close(self) -> None:
        """Nothing is kept open."""


def check_service(allowed: SplitResult) -> None:
    """Raises ValueError where Apprise has no such service, or it is on a host that is not named."""
    plugin = _registry().get(allowed.scheme)
    if plugin is None:
        raise ValueError(f"Apprise knows no service {allowed.scheme}://")
    if "host" in plugin.template_tokens and not allowed.hostname:
        raise ValueError(f"{allowed.scheme}:// is on any host: name the one that may be used")


def _may_go_to(url: str, allowed: Sequence[SplitResult]) -> bool:
    try:
        asked = urlsplit(url)
        options = {name.lower() for name, _ in parse_qsl(asked.query, keep_blank_values=True)}
        is_bounded = not options & _NOT_THEIRS and url.isprintable() and "\\" not in url
        return is_bounded and any(_is_at(asked, one) for one in allowed)
    except ValueError:
        return False


def _is_at(asked: SplitResult, allowed: SplitResult) -> bool:
    is_there = not allowed.hostname or (asked.hostname, asked.port) == (allowed.hostname, allowed.port)
    return asked.scheme == allowed.scheme and is_there


def _plugin(url: str, timeout_s: float) -> Any:
    """The service of a URL as Apprise makes it, None for a URL that it cannot read."""
    import apprise

    logging.getLogger("apprise").disabled = True  # it names hosts, and what they answered
    plugin = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if plugin is not None:
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_s
        plugin.request_rate_per_sec = 0.0  # our own limits count for all workers together
    return plugin


@lru_cache(maxsize=1)
def _asset() -> Any:
    """How Apprise shows itself: nothing that says who we are or what this is about, and no redirects."""
    import apprise

    named: dict[str, Any] = dict.fromkeys(
        ("app_desc", "app_url", "image_url_mask", "image_url_logo", "theme"), ""
    )
    return apprise.AppriseAsset(**named, app_id="Notices", http_redirects=0, async_mode=False)


def _registry() -> Any:
    import apprise
    from apprise.manager_plugins import NotificationManager

    assert apprise
    manager = NotificationManager()
    return {schema: manager[schema] for schema in manager.schemas()}
