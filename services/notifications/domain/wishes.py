"""What a person wants of us: it outlives every new card of theirs, and erasing them outlives everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from chassis.errors import Fault, Kind, Refusal
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import MINUTES_A_DAY, Window

MOST_WINDOWS: Final = 28


@dataclass(frozen=True)
class Wishes:
    """One person's wishes. Empty values leave what the card or the table says."""

    person_id: str
    # Silences everything at once, also what is queued.
    is_do_not_contact: bool = False
    # The person was erased: nobody writes to them, and no late card brings them back.
    is_erased: bool = False
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    webhook_url: str = field(default="", repr=False)
    # Signing secrets of the webhook, the newest first; the older one is still used until it is dropped.
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    apprise_url: str = field(default="", repr=False)
    language: str = ""
    time_zone: str = ""
    channels: tuple[Channel, ...] = ()
    # Others read here too: nothing is sent to these.
    shared: tuple[Channel, ...] = ()
    quiet: tuple[Window, ...] = ()
    unsafe: tuple[Window, ...] = ()
    # Low urgency waits for one letter a day, at this minute of the person's day; -1: it does not wait.
    digest_minute: int = -1
    # What can wait is only in the inbox: they ended routine mail.
    is_routine_only_here: bool = False

    @property
    def is_reachable(self) -> bool:
        """True where the wishes name an address of their own."""
        return (
            bool(self.email or self.phone or self.webhook_url or self.apprise_url)
            or Channel.IN_APP in self.channels
        )


def change(wishes: Wishes, **wanted: Any) -> tuple[Wishes, list[str]]:
    """The wishes with what is wanted, and the names of what really changed; raises Refusal INVALID."""
    if wishes.is_erased:
        raise Refusal("person-erased", Kind.CONFLICT, "This person was erased and is never contacted.")
    faults = _faults(wanted)
    if faults:
        raise Refusal("contact-invalid", Kind.INVALID, faults[0].message, faults=faults)
    changed = [name for name, value in wanted.items() if getattr(wishes, name) != value]
    return replace(wishes, **{name: wanted[name] for name in changed}), changed


def erased(wishes: Wishes) -> Wishes:
    """Nothing is left but that nobody may write."""
    return Wishes(wishes.person_id, is_do_not_contact=True, is_erased=True)


def _faults(wanted: Mapping[str, Any]) -> list[Fault]:
    known = {row.name for row in fields(Wishes)} - {"person_id", "is_erased"}
    faults = [Fault(name, "unknown", "No such wish.") for name in wanted if name not in known]
    for name in ("quiet", "unsafe"):
        faults += _window_faults(name, wanted.get(name, ()))
    for name in ("channels", "shared"):
        if len(set(wanted.get(name, ()))) != len(wanted.get(name, ())):
            faults.append(Fault(name, "repeated", "Name each channel once."))
    if not -1 <= wanted.get("digest_minute", -1) < MINUTES_A_DAY:
        faults.append(Fault("digest_minute", "out-of-range", "A minute of the day, or -1 for no digest."))
    return faults


def _window_faults(name: str, windows: Sequence[Window]) -> list[Fault]:
    if len(windows) > MOST_WINDOWS:
        return [Fault(name, "too-many", f"At most {MOST_WINDOWS} windows.")]
    return [
        Fault(f"{name}[{place}]", "out-of-range", "Minutes are 0 to 1439, days 0 (Monday) to 6.")
        for place, one in enumerate(windows)
        if not (0 <= one.from_minute < MINUTES_A_DAY and 0 <= one.until_minute < MINUTES_A_DAY)
        or any(not 0 <= day <= 6 for day in one.days)
    ]
