"""AuditEvents read back: the facts an entry keeps, and the document a reader is shown."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import orjson

from services.audit.fhir import names

Json = dict[str, Any]
_NOT_PARTICULAR = frozenset(
    {"sha256", "flag", "event-type", "organization", "peer", "referral", "trace", "unread", "received"}
)
_NO_CODE = [{"coding": [{"code": ""}]}]


@dataclass(frozen=True, slots=True)
class ReadBody:
    """What an AuditEvent of ours says, read back; a fact it does not state is ""."""

    event_type: str
    recorded: str
    actor_id: str
    actor_role: str
    purpose_of_use: str
    peer_id: str
    referral_id: str
    trace_id: str
    outcome: str
    flags: tuple[str, ...]
    content_digest: bytes
    organization_id: str = ""
    record_type: str = ""
    record_id: str = ""
    reason: str = ""
    action: str = ""
    particulars: tuple[tuple[str, str], ...] = ()


def read_body(body: bytes) -> ReadBody:
    """The facts of an AuditEvent that `audit_event` wrote, of this and of every earlier version."""
    return facts_in(orjson.loads(body))


def facts_in(document: Json) -> ReadBody:
    """The facts of a body that was parsed already."""
    user = next(agent for agent in document["agent"] if agent["requestor"])
    entities = document["entity"]
    detail = next(entity["detail"] for entity in entities if "detail" in entity)
    said = {each["type"]: each.get("valueString", "") for each in detail}
    named = {_system(entity): _value(entity) for entity in entities if _is_identified(entity)}
    record = entities[0]
    record_type, record_id = _record(record)
    return ReadBody(
        event_type=said.get("event-type") or _event_type(document),
        recorded=document["recorded"],
        actor_id=_known(_value({"what": user["who"]})),
        actor_role=user.get("role", _NO_CODE)[0]["coding"][0]["code"],
        purpose_of_use=user.get("purposeOfUse", _NO_CODE)[0]["coding"][0]["code"],
        peer_id=named.get(names.PEER, said.get("peer", "")),
        referral_id=named.get(names.REFERRAL, said.get("referral", "")),
        trace_id=named.get("", said.get("trace", "")),
        outcome=document["outcome"],
        flags=tuple(each["valueString"] for each in detail if each["type"] == "flag"),
        content_digest=base64.b64decode(detail[0]["valueBase64Binary"]),
        organization_id=_organization(document["agent"]) or said.get("organization", ""),
        record_type=record_type,
        record_id=record_id,
        reason=document.get("outcomeDesc", ""),
        action=document["action"],
        particulars=tuple(
            (each["type"], each["valueString"])
            for each in detail
            if each["type"] not in _NOT_PARTICULAR and "valueString" in each
        ),
    )


def shown(document: Json) -> Json:
    """The AuditEvent a reader sees of a parsed body: ours, or the one another system sent, with our id and flags."""
    details = [each for entity in document["entity"] for each in entity.get("detail", ())]
    received = next((each for each in details if each["type"] == "received"), None)
    flags = [each["valueString"] for each in details if each["type"] == "flag"]
    if received is None and "outside" not in flags:
        return document
    tags: list[Json] = [names.coding("urn:kindred:flag", flag) for flag in flags]
    try:
        sent = json.loads(base64.b64decode(received["valueBase64Binary"])) if received else None
    except ValueError:
        sent = None
    if not isinstance(sent, dict) or sent.get("resourceType") != "AuditEvent":
        return document | {"meta": document.get("meta", {}) | {"tag": tags}}
    meta = sent["meta"] if isinstance(sent.get("meta"), dict) else {}
    tags = [*(meta["tag"] if isinstance(meta.get("tag"), list) else ()), *tags]
    own_id = next((each["valueString"] for each in details if each["type"] == "received_id"), document["id"])
    return sent | {"id": own_id, "meta": meta | ({"tag": tags} if tags else {})}


def _record(entity: Json) -> tuple[str, str]:
    """Type and id of the record an entry shows first; of a search the type that was searched."""
    if "query" in entity:
        query = base64.b64decode(entity["query"]).decode(errors="replace")
        return query.partition("?")[0] if "?" in query else entity.get("description", ""), ""
    system, value = (_system(entity), _value(entity)) if _is_identified(entity) else ("", "")
    if system in (names.PEER, names.EVENT) or entity.get("type", {}).get("code") == "XrequestId":
        return "", ""
    noun = system.removeprefix("urn:kindred:").capitalize() if system else ""
    return entity.get("name", noun), value


def _event_type(document: Json) -> str:
    return next(str(code["code"]) for code in document["subtype"] if code["system"] == names.EVENT_TYPE)


def _organization(agents: list[Json]) -> str:
    values = [_value({"what": agent["who"]}) for agent in agents if _organizes(agent)]
    return _known(values[0]) if values else ""


def _organizes(agent: Json) -> bool:
    who = agent.get("who", {})
    return bool(who.get("identifier", {}).get("system") == names.ORGANIZATION)


def _known(actor_id: str) -> str:
    return "" if actor_id == names.UNKNOWN else actor_id


def _is_identified(entity: Json) -> bool:
    return "identifier" in entity.get("what", {})


def _system(entity: Json) -> str:
    found: str = entity["what"]["identifier"].get("system", "")
    return found


def _value(entity: Json) -> str:
    found: str = entity["what"]["identifier"]["value"]
    return found
