"""What a roster row means: each column read into the domain, every fault of a row found, no value ever repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from services.matching import roster_forms as forms
from services.matching import taxonomy
from services.matching.domain.limits import Limit
from services.matching.domain.shifts import Calendar, Shifts, Span, Window
from services.matching.domain.specialist import TRANSPORTS, Certification, Specialist
from services.matching.roster_file import RawRow, RowFault
from services.matching.roster_forms import Bad

T = TypeVar("T")
_MOST_RADIUS = 500
_MOST_CAPACITY = 50
_NO_LANGUAGES: dict[str, int] = {}
_NO_ATTRIBUTES: tuple[list[str], list[str]] = ([], [])
_NO_CERTIFICATIONS: tuple[Certification, ...] = ()
_NO_MODALITIES: frozenset[str] = frozenset()
_ALWAYS: tuple[Window, ...] | None = ()
_NO_WINDOWS: tuple[Window, ...] = ()
_NO_SPANS: tuple[Span, ...] = ()
_NO_LIMITS: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Enlisted:
    """A good row. `email` and `phone` (E.164, "" for none) go to notifications, sealed, and nowhere else.

    `withheld` are the categories of the private attributes the specialist does not want used; those stay behind here.
    `keeps_private`: what is private on the roster stays. Without `email` they are told where they were told before.
    """

    specialist: Specialist
    zip_code: str
    released: list[str]
    private: list[str]
    withheld: list[str]
    capacity: int
    email: str = field(repr=False)
    notice_language: str = "en"
    keeps_private: bool = False
    phone: str = field(default="", repr=False)


class _Columns:
    """One row being read: the first fault of each column is kept, and reading goes on."""

    def __init__(self, row: RawRow) -> None:
        self._row = row
        self.faults: list[RowFault] = []

    def read(self, name: str, reader: Callable[[str], T], default: T, *, is_needed: bool = False) -> T:
        text = self._row.columns.get(name, "")
        try:
            if text:
                return reader(text)
            if is_needed:
                raise Bad("missing", "This column is needed.")
        except Bad as bad:
            self.faults.append(RowFault(self._row.line, name, bad.code, bad.message))
        return default


def read(row: RawRow) -> Enlisted | list[RowFault]:
    """The specialist or supervisor of a row, or everything that is wrong with it."""
    columns = _Columns(row)
    specialist_id = columns.read("specialist_id", forms.an_id, "", is_needed=True)
    role = columns.read("role", forms.one_of("specialist", "supervisor"), "", is_needed=True)
    programme_id = columns.read("programme_id", forms.an_id, "", is_needed=True)
    columns.read("display_name", forms.short, "")
    email = columns.read("email", forms.email, "", is_needed=True)
    phone = _phone(columns, row, is_told_anew=bool(email))
    languages = columns.read("languages", forms.languages, _NO_LANGUAGES, is_needed=True)
    notice_language = columns.read("notice_language", forms.language, next(iter(languages), "en"))
    released, private = columns.read("attributes", forms.attributes, _NO_ATTRIBUTES)
    known = taxonomy.read()
    withheld: list[str] = []
    if not columns.read("agrees_to_private_use", forms.yes_or_no, False):
        withheld, private = sorted(known.categories(private)), []
    place = columns.read("zip", forms.place, None, is_needed=True)
    is_ranked = role == "specialist"
    certifications = columns.read(
        "certifications", forms.certifications, _NO_CERTIFICATIONS, is_needed=is_ranked
    )
    modalities = columns.read("modalities", forms.modalities, _NO_MODALITIES, is_needed=is_ranked)
    radius_miles = columns.read("radius_miles", forms.count(_MOST_RADIUS), 0, is_needed=is_ranked)
    windows = columns.read("shifts", forms.windows, _ALWAYS, is_needed=is_ranked)
    time_zone = columns.read("time_zone", forms.time_zone, place.time_zone if place else "UTC")
    capacity = columns.read("capacity", forms.count(_MOST_CAPACITY), 0, is_needed=is_ranked)
    transport = columns.read("transport", forms.one_of(*TRANSPORTS), TRANSPORTS[0])
    on_call = columns.read("on_call", forms.on_call, _NO_WINDOWS)
    off = columns.read("time_off", forms.spans(time_zone), _NO_SPANS)
    extra = columns.read("extra_shifts", forms.spans(time_zone), _NO_SPANS)
    limits = columns.read("limits", forms.limits, _NO_LIMITS)
    supervisor_id = columns.read("supervisor_id", forms.an_id, "")
    if columns.faults or place is None:
        return columns.faults
    specialist = Specialist(
        specialist_id=specialist_id,
        role=role,
        programme_id=programme_id,
        place=place,
        shifts=Shifts(windows or (), windows is None, time_zone, on_call),
        languages=languages,
        released=known.with_parents(released),
        held=known.with_parents([*released, *private]),
        perhaps_held=known.within(withheld),
        certifications=certifications,
        modalities=modalities,
        radius_miles=radius_miles,
        transport=transport,
        calendar=Calendar(off, extra),
        limits=limits,
        supervisor_id=supervisor_id,
    )
    return Enlisted(
        specialist,
        row.columns["zip"],
        released,
        private,
        withheld,
        capacity,
        email,
        notice_language,
        keeps_private=forms.PRIVATE_STAYS in row.columns.get("attributes", ""),
        phone=phone,
    )


def _phone(columns: _Columns, row: RawRow, *, is_told_anew: bool) -> str:
    """The number, where the address beside it is told anew; both stay or neither, for the roster can read neither."""
    phone = columns.read("phone", forms.phone, "")
    if row.columns.get("email") and phone and is_told_anew == (phone == forms.EMAIL_KEPT):
        text = "Send the address and the number together, or neither anew: the roster can read neither."
        columns.faults.append(RowFault(row.line, "phone", "send-both", text))
    return phone if is_told_anew else ""
