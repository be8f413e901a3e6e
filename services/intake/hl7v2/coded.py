"""Codes as the source sent them, languages, and what the record says of culture."""

from __future__ import annotations

import re
from collections.abc import Iterator

import langcodes

from services.intake import taxonomy
from services.intake.domain.submission import Answered, Characteristic, Code
from services.intake.hl7v2 import topics
from services.intake.hl7v2.message import Message, Segment, Value

_ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
_SNOMED = "http://snomed.info/sct"
# Table 0396 as engines really spell it, to the systems that FHIR names.
_SYSTEMS = {
    **dict.fromkeys(("I10", "I10C", "I10CM", "ICD10", "ICD-10", "ICD10CM", "ICD-10-CM", "10D"), _ICD_10_CM),
    **dict.fromkeys(("SCT", "SNM", "SNOMED", "SNOMED-CT", "SNOMEDCT", "SNOMED CT", "SCT2"), _SNOMED),
    **dict.fromkeys(("I9", "I9C", "I9CDX", "ICD9", "ICD-9", "ICD-9-CM"), "http://hl7.org/fhir/sid/icd-9-cm"),
    **dict.fromkeys(("LN", "LOINC"), "http://loinc.org"),
    **dict.fromkeys(("C4", "CPT", "CPT4", "CPT-4"), "http://www.ama-assn.org/go/cpt"),
    topics.SYSTEM: taxonomy.ATTRIBUTES,
}
_CODE_FIELDS = {"DG1": 3, "PR1": 3, "PV2": 3, "RF1": 10}
_DELETED = "D"
_CODED = frozenset({"CE", "CWE", "CNE", "CF", "ID", "IS"})
_UNSURE = frozenset({"D", "W", "X", "N", "I"})  # OBX-11 (table 0085): not, wrongly or not yet observed
# CDC race codes and table 0189 to the taxonomy; "other race" says nothing to match by.
_RACES = {
    "1002-5": "ethnicity.american-indian-alaska-native",
    "2028-9": "ethnicity.asian",
    "2054-5": "ethnicity.black",
    "2076-8": "ethnicity.native-hawaiian-pacific-islander",
    "2106-3": "ethnicity.white",
    "2118-8": "ethnicity.middle-eastern-north-african",
}
_ETHNICITIES = {"H": "ethnicity.hispanic-latino", "2135-2": "ethnicity.hispanic-latino"}
_NOT_TOLD = {
    **dict.fromkeys(("ASKU", "PHC1175", "ASKED-DECLINED", "DECLINED"), Answered.DECLINED),
    **dict.fromkeys(("UNK", "U", "UNKNOWN", "VAR"), Answered.UNKNOWN),
}
# Table 0006; the denominations below Christian, Buddhist, Jewish and Muslim belong to their root.  The single letters
# of version 2.1 are not read: too many systems mean something else by them.
_FAITHS = {
    **dict.fromkeys(("BUD", "BMA", "BTH", "BTA", "BOT"), "faith.buddhist"),
    "CAT": "faith.christian.catholic",
    **dict.fromkeys(("HIN", "HSH", "HVA", "HOT"), "faith.hindu"),
    **dict.fromkeys(("JEW", "JCO", "JOR", "JOT", "JRC", "JRF", "JRN"), "faith.jewish"),
    **dict.fromkeys(("MOS", "MSH", "MSU", "MOT"), "faith.muslim"),
    **dict.fromkeys(("AGN", "ATH", "NOE"), "faith.none"),
    "NAM": "faith.native-traditions",
    **dict.fromkeys(
        re.findall(
            "[A-Z]{3}",
            "CHR ABC AME AMT ANG AOG BAP BRE CHS CMA CNF COC COG COI COL COM COP COT CRR EOT EPI EVC FRQ FUL "
            "FWB GRE JWN LMS LUT MEN MET MOM NAZ ORT PEN PRC PRE PRO REO SAA SEV SOU UCC UMD WES WMC",
        ),
        "faith.christian",
    ),
}


def codes_said(message: Message) -> tuple[Code, ...] | None:
    """Every diagnosis, reason, procedure and coded observation; None where the message has no place for any.

    A diagnosis that is deleted (DG1-21) and an observation that is not final are left out.
    """
    found = [code for place in _places(message) for code in place]
    return tuple(dict.fromkeys(found)) if _has_places(message) else None


def _has_places(message: Message) -> bool:
    if any(message.first(name) for name in ("DG1", "PR1")):
        return True
    rf1, pv2 = message.first("RF1"), message.first("PV2")
    is_told = bool((rf1 and rf1.is_said(10)) or (pv2 and pv2.is_said(3)))
    return is_told or any(not topics.is_ours(obx) for obx in message.all("OBX"))


def _places(message: Message) -> Iterator[tuple[Code, ...]]:
    for segment in message.segments:
        is_deleted = segment.name == "DG1" and segment.text(21).upper() == _DELETED
        if segment.name in _CODE_FIELDS and not is_deleted:
            yield codes_of(segment.value(_CODE_FIELDS[segment.name]))
        elif segment.name == "OBX" and not topics.is_ours(segment):
            yield from _observed(segment)


def _observed(segment: Segment) -> Iterator[tuple[Code, ...]]:
    if segment.text(2).upper() in _CODED and segment.text(11).upper() not in _UNSURE:
        yield from (codes_of(value) for value in segment.values(5))


def codes_of(value: Value) -> tuple[Code, ...]:
    """Both codings of a CE or CWE; a name without a code is no code."""
    found = []
    for first in (1, 4):
        code, display, system = (value.text(first + step) for step in range(3))
        if code:
            found.append(Code(system_of(system), code, display))
    return tuple(found)


def system_of(name: str) -> str:
    """The URI of a coding system by its name in table 0396; another name is kept as one of HL7 v2's."""
    known = _SYSTEMS.get(name.upper())
    return known or (f"hl7v2:{name}" if name else "")


def languages_of(values: list[Value]) -> tuple[str, ...]:
    """BCP 47 tags of PID-15: table 0296 holds ISO 639 codes; a local word is left out, and kept by nobody."""
    found = []
    for value in values:
        tag = next(filter(None, (_tag(value.text(part)) for part in (1, 4))), "")
        if tag:
            found.append(tag)
    return tuple(dict.fromkeys(found))


def _tag(text: str) -> str:
    try:
        language = langcodes.get(text.strip().replace("_", "-"), normalize=True)
    except (ValueError, AttributeError):
        return ""
    return language.to_tag() if text and language.is_valid() and language.language else ""


def characteristics_of(pid: Segment, is_faith_hidden: bool) -> list[Characteristic]:
    """Race (PID-10), ethnicity (PID-22) and religion (PID-17) as the record has them: said by the record, from a chart.

    Nothing else follows from them: what the peer wishes for is said by the peer alone (DOMAIN 4).
    """
    told = [_told("ethnicity", value, _RACES) for value in pid.values(10)]
    told += [_told("ethnicity", value, _ETHNICITIES) for value in pid.values(22)]
    if not is_faith_hidden:
        told += [_told("faith", value, _FAITHS) for value in pid.values(17)]
    return list(dict.fromkeys(one for one in told if one is not None))


def _told(topic: str, value: Value, known: dict[str, str]) -> Characteristic | None:
    codes = [value.text(part).upper() for part in (1, 4)]
    for code in codes:
        if code in known:
            return Characteristic(topic, Answered.STATED, known[code], said_by="record", how="chart")
        if code in _NOT_TOLD:
            return Characteristic(topic, _NOT_TOLD[code], said_by="record", how="chart")
    return None
