"""A roster row as FHIR R4: Practitioner, PractitionerRole and Schedule in one Bundle, and back again.

What FHIR has an element for is in that element (name, telecom, communication, qualification, availableTime,
notAvailable); the rest are extensions of ours. Nothing is lost either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.matching import roster_forms as forms
from services.matching.roster_file import RawRow, Read, RowFault
from services.matching.roster_forms import EMAIL_KEPT, Bad

BASE = "https://kindred.example/fhir/"
_EXTENSION = BASE + "StructureDefinition/"
_TIME_ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
_LANGUAGES = "urn:ietf:bcp:47"
_DAYS = forms.DAYS
_PLAIN = {"radius_miles": "valueUnsignedInt", "capacity": "valueUnsignedInt", "transport": "valueCode",
          "supervisor_id": "valueString"}  # fmt: skip
_LISTED = {"modalities": "valueCode", "limits": "valueString"}
_Resource = dict[str, Any]


def bundle(row: dict[str, str]) -> _Resource:
    """The Bundle of one row."""
    zone = row.get("time_zone") or "UTC"
    resources = [_practitioner(row), _role(row, zone), _schedule(row, zone)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"{BASE}{one['resourceType']}/{one['id']}", "resource": one} for one in resources
        ],
    }


def rows(line: int, document: dict[str, Any]) -> Iterator[Read]:
    """The rows of a Bundle: one for each Practitioner in it, with the PractitionerRole and Schedule that name it."""
    try:
        found = [entry["resource"] for entry in document["entry"]]
        people = [one for one in found if one["resourceType"] == "Practitioner"]
        if document["resourceType"] != "Bundle" or not people:
            raise KeyError
        others = [(one["resourceType"], one) for one in found if one["resourceType"] != "Practitioner"]
    except (KeyError, TypeError):
        text = "Send a Bundle with a Practitioner in it on each line."
        yield RowFault(line, "", "not-a-roster-bundle", text)
        return
    for person in people:
        try:
            yield RawRow(line, _columns(person, others))
        except Bad as bad:
            yield RowFault(line, "", bad.code, bad.message)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            yield RowFault(line, "", "not-fhir", "An element is missing or is not of its FHIR type.")


def _id(row: dict[str, str]) -> str:
    return "".join(c if c.isalnum() or c in "-." else "-" for c in row["specialist_id"])


def _ours(name: str, **value: Any) -> _Resource:
    return {"url": _EXTENSION + name, **value}


def _practitioner(row: dict[str, str]) -> _Resource:
    found: _Resource = {
        "resourceType": "Practitioner",
        "id": _id(row),
        "extension": [_attribute(item) for item in _items(row, "attributes")],
        "identifier": [{"system": BASE + "specialist", "value": row["specialist_id"]}],
        "active": True,
        "address": [{"use": "work", "postalCode": row["zip"]}],
        "communication": [_communication(item) for item in _items(row, "languages")],
        "qualification": [_qualification(item) for item in _items(row, "certifications")],
    }
    if agrees := row.get("agrees_to_private_use"):
        found["extension"].append(_ours("agrees-to-private-use", valueBoolean=agrees == "yes"))
    if row.get("notice_language"):
        found["extension"].append(_ours("notice-language", valueCode=row["notice_language"]))
    if row.get("display_name"):
        found["name"] = [{"text": row["display_name"]}]
    told = ((name, row.get(name, "")) for name in ("email", "phone"))
    found["telecom"] = [
        {"system": name, "value": text} for name, text in told if text not in ("", EMAIL_KEPT)
    ]
    return {name: value for name, value in found.items() if value != []}


def _attribute(item: str) -> _Resource:
    code, _, release = item.partition(":")
    parts = [{"url": "code", "valueCode": code}, {"url": "release", "valueCode": release}]
    return _ours("attribute", extension=parts)


def _communication(item: str) -> _Resource:
    tag, _, level = item.partition(":")
    extension = [_ours("language-level", valueCode=level)]
    return {"extension": extension, "coding": [{"system": _LANGUAGES, "code": tag}]}


def _qualification(item: str) -> _Resource:
    state, payers, ages, begins, ends = item.split("/")
    parts = [{"url": "state", "valueCode": state}]
    parts += [{"url": "payer", "valueCode": payer} for payer in payers.split("+")]
    parts += [{"url": "age-band", "valueCode": age} for age in ages.split("+")]
    return {
        "extension": [_ours("certification", extension=parts)],
        "code": {"text": "Certified peer support specialist"},
        "period": {"start": begins, "end": ends},
    }


def _role(row: dict[str, str], zone: str) -> _Resource:
    extensions = [{"url": _TIME_ZONE, "valueCode": zone}]
    for name, kind in _PLAIN.items():
        if row.get(name):
            value = int(row[name]) if kind == "valueUnsignedInt" else row[name]
            extensions.append(_ours(name.replace("_", "-"), **{kind: value}))
    for name, kind in _LISTED.items():
        extensions += [_ours(name, **{kind: item}) for item in _items(row, name)]
    found: _Resource = {
        "resourceType": "PractitionerRole",
        "id": _id(row),
        "extension": extensions,
        "active": True,
        "practitioner": {"reference": f"Practitioner/{_id(row)}"},
        "organization": {"identifier": {"system": BASE + "programme", "value": row["programme_id"]}},
        "code": [{"coding": [{"system": BASE + "CodeSystem/roster-role", "code": row["role"]}]}],
        "availableTime": _available(row.get("shifts", "")),
        "notAvailable": [
            {"description": "Time off", "during": _period(item, zone)} for item in _items(row, "time_off")
        ],
    }
    return {name: value for name, value in found.items() if value != []}


def _available(shifts: str) -> list[_Resource]:
    if shifts == "always":
        return [{"daysOfWeek": list(_DAYS), "allDay": True}]
    return [_window(item) for item in shifts.split(";") if item]


def _window(item: str) -> _Resource:
    days, _, times = item.partition(" ")
    first, _, last = days.partition("-")
    begin = _DAYS.index(first)
    count = (_DAYS.index(last or first) - begin) % 7 + 1
    start, end = times.split("-")
    return {
        "daysOfWeek": [_DAYS[(begin + n) % 7] for n in range(count)],
        "availableStartTime": f"{start}:00",
        # FHIR has no 24:00; an end at or before the start lies on the next day.
        "availableEndTime": f"{end}:00".replace("24:00:00", "00:00:00"),
    }


def _schedule(row: dict[str, str], zone: str) -> _Resource:
    extensions = [
        _ours("extra-shift", valuePeriod=_period(item, zone)) for item in _items(row, "extra_shifts")
    ]
    for item in _items(row, "on_call"):
        window = _window(item)
        parts = [{"url": "day", "valueCode": day} for day in window["daysOfWeek"]]
        parts += [{"url": "start", "valueTime": window["availableStartTime"]}]
        parts += [{"url": "end", "valueTime": window["availableEndTime"]}]
        extensions.append(_ours("on-call", extension=parts))
    found: _Resource = {
        "resourceType": "Schedule",
        "id": _id(row),
        "extension": extensions,
        "active": True,
        "actor": [{"reference": f"PractitionerRole/{_id(row)}"}],
    }
    return {name: value for name, value in found.items() if value != []}


def _period(item: str, zone: str) -> dict[str, str]:
    first, _, last = item.partition("..")
    if len(first) == 10:
        return {"start": first, "end": last}
    span = forms.spans(zone)(item)[0]
    begins, ends = (at.astimezone(ZoneInfo(zone)) for at in (span.begins, span.ends))
    return {"start": begins.isoformat(), "end": ends.isoformat()}


def _items(row: dict[str, str], name: str) -> list[str]:
    return [item for item in row.get(name, "").split(";") if item]


def _columns(person: _Resource, others: list[tuple[str, _Resource]]) -> dict[str, str]:
    named = f"Practitioner/{person['id']}"
    role = _naming(others, "PractitionerRole", named, lambda one: [one["practitioner"]])
    actor = f"PractitionerRole/{role['id']}"
    calendar = _naming(others, "Schedule", actor, lambda one: one["actor"], is_needed=False)
    zone = _value(role, _TIME_ZONE, "")
    ids = [one["value"] for one in person["identifier"] if one["system"] == BASE + "specialist"]
    found = {
        "specialist_id": ids[0],
        "role": role["code"][0]["coding"][0]["code"],
        "programme_id": role["organization"]["identifier"]["value"],
        "display_name": person.get("name", [{}])[0].get("text", ""),
        "email": _telecom(person, "email") or EMAIL_KEPT,
        "phone": _telecom(person, "phone", "sms"),
        "notice_language": _value(person, _EXTENSION + "notice-language", ""),
        "zip": person["address"][0]["postalCode"],
        "languages": ";".join(
            f"{one['coding'][0]['code']}:{_value(one, _EXTENSION + 'language-level', '')}"
            for one in person.get("communication", ())
        ),
        "attributes": ";".join(
            f"{_value(one, 'code', '')}:{_value(one, 'release', '')}" for one in _all(person, "attribute")
        ),
        "certifications": ";".join(_certification(one) for one in person.get("qualification", ())),
        "shifts": _shifts(role.get("availableTime", [])),
        "time_off": ";".join(_span(one["during"], zone) for one in role.get("notAvailable", ())),
        "time_zone": zone,
        "on_call": ";".join(_on_call(one) for one in _all(calendar, "on-call")),
        "extra_shifts": ";".join(_span(one["valuePeriod"], zone) for one in _all(calendar, "extra-shift")),
    }
    agrees = {None: "", True: "yes", False: "no"}
    found["agrees_to_private_use"] = agrees[_value(person, _EXTENSION + "agrees-to-private-use", None)]
    for name in _PLAIN:
        found[name] = str(_value(role, _EXTENSION + name.replace("_", "-"), ""))
    for name, kind in _LISTED.items():
        found[name] = ";".join(one[kind] for one in _all(role, name))
    if not all(isinstance(text, str) for text in found.values()):
        raise TypeError
    return {name: text.strip() for name, text in found.items()}


def _telecom(person: _Resource, *systems: str) -> str:
    return next((one["value"] for one in person.get("telecom", ()) if one["system"] in systems), "")


def _naming(
    others: list[tuple[str, _Resource]], kind: str, wanted: str, names: Any, *, is_needed: bool = True
) -> _Resource:
    for found, one in others:
        if found == kind and any(named["reference"] == wanted for named in names(one)):
            return one
    if is_needed:
        raise Bad("role-missing", "A Practitioner has a PractitionerRole in the same Bundle that names it.")
    return {}


def _all(resource: _Resource, name: str) -> list[_Resource]:
    return [one for one in resource.get("extension", ()) if one["url"] == _EXTENSION + name]


def _value(resource: _Resource, url: str, default: Any) -> Any:
    found = (one for one in resource.get("extension", ()) if one["url"] == url)
    values = (value for one in found for name, value in one.items() if name.startswith("value"))
    return next(values, default)


def _certification(qualification: _Resource) -> str:
    scope = _all(qualification, "certification")[0]
    told: dict[str, list[str]] = {"state": [], "payer": [], "age-band": []}
    for part in scope["extension"]:
        told[part["url"]].append(part["valueCode"])
    period = qualification["period"]
    scoped = [told["state"][0], "+".join(told["payer"]), "+".join(told["age-band"])]
    return "/".join([*scoped, period["start"], period["end"]])


def _shifts(available: list[_Resource]) -> str:
    if any(one.get("allDay") and set(one["daysOfWeek"]) == set(_DAYS) for one in available):
        return "always"
    return ";".join(
        _clocks(day, one.get("availableStartTime", "00:00:00"), one.get("availableEndTime", "00:00:00"))
        for one in available
        for day in one["daysOfWeek"]
    )


def _on_call(extension: _Resource) -> str:
    parts = extension["extension"]
    times = {part["url"]: part["valueTime"] for part in parts if part["url"] in ("start", "end")}
    days = [part["valueCode"] for part in parts if part["url"] == "day"]
    return ";".join(_clocks(day, times["start"], times["end"]) for day in days or [""])


def _clocks(day: str, start: str, end: str) -> str:
    return f"{day} {start[:5]}-{end[:5]}"


def _span(period: dict[str, str], zone: str) -> str:
    return f"{_moment(period['start'], zone)}..{_moment(period['end'], zone)}"


def _moment(text: str, zone: str) -> str:
    if len(text) == 10:
        return text
    return datetime.fromisoformat(text).astimezone(ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:%M")
