"""Referrals: post one as an ER's record system would, and see how its case stands."""

import json
import urllib.error
import urllib.request
from typing import Annotated, Any

import typer

from cli import reach as reaching
from cli import show
from cli.reach import Reach

SUBMIT_S = 15.0


def add_to(app: typer.Typer) -> None:
    """Adds these commands to the top level."""
    app.command()(case)


def post_fhir(
    reach: Reach, content: bytes, *, actor: str = "cli-nurse", organization: str = "er-st-brigid"
) -> Any:
    """POST /fhir as a nurse who treats: (HTTP status, the answer's JSON)."""
    url = f"http://{reach.http_address('intake')}/fhir"
    headers = {
        "Content-Type": "application/fhir+json",
        "Accept": "application/fhir+json",
        "Authorization": f"Bearer {reach.token('nurse', actor, organization)}",
        "X-Purpose-Of-Use": reach.who.purpose or "TREAT",
    }
    request = urllib.request.Request(url, data=content, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=SUBMIT_S) as answer:  # noqa: S310
            return answer.status, _json(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, _json(refused.read())
    except OSError as trouble:
        raise show.fail(
            f"Intake does not answer at {url}.", f"{trouble}", "`kindred status` tells more."
        ) from None


def task_id(answer: Any) -> str:
    """The id of the Task in intake's answer, or "" where it has none."""
    for resource in _resources(answer):
        if resource.get("resourceType") == "Task" and resource.get("id"):
            return str(resource["id"])
    for entry in answer.get("entry", []):
        location = entry.get("response", {}).get("location", "")
        kind, _, rest = location.partition("/")
        if kind in ("Task", "ServiceRequest"):  # a request and its Task have one id
            return str(rest.split("/")[0])
    return ""


def faults(answer: Any) -> list[str]:
    """Each issue of an OperationOutcome as "code at path: sentence"."""
    return [f"{code}{' at ' + where if where else ''}: {text}" for code, text, where in issues(answer)]


def issues(answer: Any) -> list[tuple[str, str, str]]:
    """Each issue of an OperationOutcome: code, sentence, path."""
    found = []
    for resource in _resources(answer):
        for issue in resource.get("issue", []) if resource.get("resourceType") == "OperationOutcome" else []:
            coding = issue.get("details", {}).get("coding", [{}])
            code = coding[0].get("code") or issue.get("code", "")
            where = ", ".join(issue.get("expression", []))
            text = issue.get("details", {}).get("text") or issue.get("diagnostics", "")
            found.append((code, text.removeprefix(f"{where}: "), where))
    return found


def case(
    context: typer.Context,
    referral: Annotated[str, typer.Argument(help="The referral's id, ref-...; `kindred submit` tells it.")],
    as_json: show.AsJson = False,
) -> None:
    """A referral's case as matching sees it: waves, offers, and why each fits."""
    from google.protobuf.json_format import MessageToDict

    from kindred.matching.v1 import matching_pb2

    reach: Reach = context.obj
    with reaching.plain_errors():
        found = reach.matching().GetCase(
            matching_pb2.GetCaseRequest(referral_id=referral),
            timeout=reach.deadline_s,
            metadata=reach.metadata("system", "cli-operator", purpose="COC"),
        )
    facts = MessageToDict(found, preserving_proto_field_name=True)
    if as_json:
        show.record(facts, as_json=True)
        return
    offers, exclusions = facts.pop("offers", []), facts.pop("exclusions", [])
    checkins = facts.pop("checkins", [])
    show.record(facts, as_json=False)
    rows = [offer | {"ways": ", ".join(offer.get("ways", ())), "why": explained(offer)} for offer in offers]
    columns = ("specialist_id", "programme_id", "state", "wave", "ways", "deadline_at", "why")
    show.rows(rows, columns, as_json=False, title="Offers")
    if checkins:
        show.rows(checkins, ("number", "due_at", "state", "outcome"), as_json=False, title="Check-ins")
    if exclusions:
        show.rows(exclusions, ("rule", "specialists"), as_json=False, title="Kept out by hard rules")


def explained(offer: dict[str, Any]) -> str:
    """An offer's score and its terms: "4.200 = 2.000 shares ... + ..."."""
    explanation = offer.get("explanation", {})
    terms = explanation.get("terms", [])
    total = int(explanation.get("score_milli", 0)) / 1000
    parts = [
        f"{int(term.get('points_milli', 0)) / 1000:g} {term.get('text', term['code'])}" for term in terms
    ]
    return f"{total:g} = {' + '.join(parts)}" if parts else f"{total:g}"


def _resources(answer: Any) -> list[dict[str, Any]]:
    if answer.get("resourceType") != "Bundle":
        return [answer]
    entries = answer.get("entry", [])
    inner = [entry.get("response", {}).get("outcome") for entry in entries]
    return [entry["resource"] for entry in entries if "resource" in entry] + [one for one in inner if one]


def _json(content: bytes) -> Any:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
