"""What a compliance officer asks the audit log: FHIR searches, named reports, reviews, and the register they need."""

import csv
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import show
from cli.officer import OfficersDoor

_ROW = (
    "number",
    "at",
    "actor",
    "role",
    "organization",
    "purpose",
    "what",
    "record",
    "person",
    "outcome",
    "why",
)


_USUAL = {
    "everything": "everything the log holds",
    "6-years": "the six years the law asks for",
    "3-years": "the three years the law asks for",
    "30-days": "the last 30 days",
}


class Language(StrEnum):
    """What a report can be written in."""

    EN = "en"
    ES = "es"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `kindred audit`."""
    app.command()(find)
    app.command()(report)
    app.command()(reviews)
    app.command()(review)
    app.command()(register)


def find(
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(help='FHIR, such as "patient=peer_1&agent=nurse-17&date=ge2026-11".')
    ],
    as_json: show.AsJson = False,
) -> None:
    """Search with every FHIR R4 parameter; the search itself becomes an entry. --json prints the Bundle with proofs."""
    import urllib.parse

    asked = urllib.parse.parse_qsl(query, keep_blank_values=True)
    bundle = OfficersDoor(context.obj).json("/fhir/AuditEvent", asked)
    if as_json:
        print(json.dumps(bundle, ensure_ascii=False, indent=1))
        return
    entries = bundle["entry"]
    rows = [_found(each) for each in entries if each["search"]["mode"] == "match"]
    show.rows(rows, ("index", "recorded", "action", "outcome", "who", "what"), as_json=False)
    print(entries[-1]["resource"]["issue"][0]["diagnostics"])
    if older := next((one["url"] for one in bundle["link"] if one["relation"] == "next"), ""):
        print(f"There is more. The next page: kindred audit find '{older.partition('?')[2]}'")


def report(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name; without one, all reports with their rules.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--with", "-w", help="name=value, such as person=peer_1.")
    ] = None,
    since: Annotated[str, typer.Option("--from", help="Recorded at or after, UTC.")] = "",
    until: Annotated[str, typer.Option(help="Recorded before, UTC.")] = "",
    to: Annotated[Path | None, typer.Option(help="Write a .csv or .pdf here instead.")] = None,
    language: Annotated[Language, typer.Option(help="What it is written in.")] = Language.EN,
    as_json: show.AsJson = False,
) -> None:
    """Run a named report: who saw this person, reads without a relationship, accounting of disclosures ..."""
    door = OfficersDoor(context.obj)
    if not name:
        listed = door.json("/audit/reports", [("language", language)])["reports"]
        for each in listed:
            takes = (one["name"] + (" (needed)" if one["needed"] else "") for one in each["parameters"])
            each["parameters"] = ", ".join(takes)
        show.rows(listed, ("name", "title", "parameters", "rule"), as_json=as_json)
        return
    asked = [("language", language), *_pairs(parameter or [])]
    asked += [(key, value) for key, value in (("from", since), ("until", until)) if value]
    if to is not None:
        if to.suffix not in (".csv", ".pdf"):
            raise show.fail(
                "A report is written as .csv or .pdf: name the file so. --json prints it.", code=2
            )
        with show.written(to) as file:  # opened first: what cannot be kept is not asked for
            content = door.content(f"/audit/reports/{name}", [*asked, ("format", to.suffix.lstrip("."))])
            file.write(content)
        show.record({"file": str(to), "bytes": len(content)}, as_json=as_json)
        return
    found = door.json(f"/audit/reports/{name}", asked)
    if as_json:
        show.record(found, as_json=True)
        return
    said = found.get("shown", found["rows"])
    columns = [column for column in found["columns"] if any(row.get(column) for row in said)]
    show.rows(said, columns or _ROW, as_json=False, title=found["title"])
    print(found["rule"])
    print(_range(found, is_chosen=bool(since)))
    if found["is_cut"]:
        print(f"There is more than these {len(said)} rows: ask for a shorter time with --from and --until.")


def _range(found: dict[str, Any], *, is_chosen: bool) -> str:
    """What the answer speaks for, and why for so long where nobody said from when."""
    why = "" if is_chosen else f" ({_USUAL[found['usual_range']]}; --from and --until choose another)"
    size = found["checkpoint"].split("\n")[1]
    searched = f"{found['searched']} entries searched, {found['from']} to {found['until']}{why}"
    return f"{searched}, under the checkpoint of size {size}."


def reviews(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="open, explained, violation, false-alarm, all.")] = "open",
    as_json: show.AsJson = False,
) -> None:
    """What detections raised and a person must judge, the one due first before the others."""
    found = OfficersDoor(context.obj).json("/audit/reviews", [("state", state)])["reviews"]
    columns = ("id", "rule", "about", "count", "state", "due_at", "is_overdue", "reviewer")
    show.rows(found, columns, as_json=as_json)


def review(
    context: typer.Context,
    review_id: Annotated[str, typer.Argument(help="Its id.")],
    state: Annotated[str, typer.Option(help="explained, violation, false-alarm or open.")],
    note: Annotated[str, typer.Option(help="Why, in a sentence; it is kept sealed.")],
    as_json: show.AsJson = False,
) -> None:
    """Judge a review; nobody judges what they did themselves."""
    told = OfficersDoor(context.obj).post(f"/audit/reviews/{review_id}", {"state": state, "note": note})
    show.record({name: told[name] for name in ("id", "rule", "about", "state", "reviewer")}, as_json=as_json)


def register(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns kind, actor, person, at (UTC).", exists=True)
    ],
    as_json: show.AsJson = False,
) -> None:
    """Feed the register with what the log cannot know. Feeding a line again changes nothing.

    Kinds: same-surname, guarantor, next-of-kin, same-address, co-worker, own-record (actor and person);
    vip, deceased (person); terminated (actor, at); suspension (actor: the recipient; person; at: until).
    """
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines: list[dict[str, Any]] = list(csv.DictReader(opened))
    show.record(OfficersDoor(context.obj).post("/audit/register", {"entries": lines}), as_json=as_json)


def _found(entry: dict[str, Any]) -> dict[str, Any]:
    resource = entry["resource"]
    proof = entry["search"].get("extension", [{"extension": [{}]}])[0]["extension"]
    user: dict[str, Any] = next((one for one in resource["agent"] if one.get("requestor")), {})
    return {
        "index": next((one["valueInteger"] for one in proof if one.get("url") == "index"), ""),
        "recorded": resource["recorded"],
        "action": resource.get("action", ""),
        "outcome": resource.get("outcome", ""),
        "who": user.get("who", {}).get("identifier", {}).get("value", user.get("name", "")),
        "what": _event_type(resource) or ", ".join(one["code"] for one in resource.get("subtype", ())),
    }


def _event_type(resource: dict[str, Any]) -> str:
    """Our name of the event where the profile leaves it no place among the subtypes."""
    details = [one for entity in resource.get("entity", ()) for one in entity.get("detail", ())]
    return next((one["valueString"] for one in details if one.get("type") == "event-type"), "")


def _pairs(given: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise show.fail("Write a parameter as name=value.", code=2)
        pairs.append((name, value))
    return pairs
