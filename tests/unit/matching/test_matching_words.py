"""Codes, labels, messages and settings: what matching reads and what it says in words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Refusal
from chassis.settings import SettingsFaults, read
from kindred.intake.v1 import events_pb2
from kindred.matching.v1 import matching_pb2 as pb
from services.matching import codec, taxonomy, tongues, wording
from services.matching.domain.case import DECLINE_REASONS
from services.matching.domain.score import Term
from services.matching.settings import Settings
from services.matching.web.words import WORDS
from tests.matching_room import a_submission

_BASE = {
    "KINDRED_MONGO_URI": "m",
    "KINDRED_MONGO_DATABASE": "d",
    "KINDRED_AMQP_URI": "a",
    "KINDRED_KEYS_DIR": "/k",
}
# DOMAIN 4, "Attributes": each is somewhere in the taxonomy.
_PROMISED = {
    "substance",
    "mental-health",
    "co-occurring",
    "pathway.medication",
    "pathway.abstinence",
    "pathway.harm-reduction",
    "suicide.attempt",
    "suicide.loss",
    "military.veteran",
    "military.combat",
    "justice",
    "homelessness",
    "trauma",
    "trauma.partner-violence",
    "parenting",
    "parenting.child-welfare",
    "lgbtq",
    "ethnicity",
    "faith",
    "deaf.asl",
    "disability",
    "migration.immigrant",
    "migration.refugee",
    "place.rural",
    "place.urban",
    "age",
    "gender",
}
_WORDS_WE_DO_NOT_USE = re.compile(
    r"addict|abuser|junkie|alcoholic|victim|suffer|commit|illegal|felon|insane|drogadict|alcoh[oó]lic[oa]\b",
    re.I,
)


def test_the_taxonomy_is_whole():
    """Every promised attribute is there; codes, parents, labels and maps have their form."""
    rows = json.loads(taxonomy.FILE.read_text())["attributes"]
    known = {row["code"] for row in rows}
    assert len(known) == len(rows) and known >= _PROMISED
    for row in rows:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)*", row["code"])
        assert row["parent"] == (row["code"].rpartition(".")[0] or None) and row["parent"] in {*known, None}
        assert row["kind"] in ("lived-experience", "culture", "other") and set(row["label"]) == {"en", "es"}
        assert all(re.fullmatch(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", p) for p in row["icd10cm_prefixes"])
        assert all(re.fullmatch(r"[0-9]{6,18}", code) for code in row["snomed_codes"])


def test_identity_is_never_inferred_from_a_diagnosis():
    """Gender, orientation, ethnicity, faith and age have no clinical codes."""
    for row in json.loads(taxonomy.FILE.read_text())["attributes"]:
        if row["code"].split(".")[0] in ("gender", "lgbtq", "ethnicity", "faith", "age", "migration.refugee"):
            assert row["icd10cm_prefixes"] == [] and row["snomed_codes"] == []


@pytest.mark.parametrize("reader", ["en", "es"])
def test_every_reason_is_worded_with_dignity(reader):
    """Each attribute can be said as a wish and as shared, in both languages, without a word that reduces a person."""
    terms = [Term(f"{kind}:{code}", 1) for code in taxonomy.read().attributes for kind in ("wish", "shared")]
    terms += [Term("language:es", 1), Term("language:ase", 1), Term("closeness", 1), Term("free-capacity", 1)]
    for term in terms:
        text = wording.text(term, reader)
        assert text and "{" not in text and not _WORDS_WE_DO_NOT_USE.search(text), text
    assert wording.text(Term("language:ase", 1), "es") == "Usa lengua de señas estadounidense"


def test_of_two_reasons_the_one_that_says_less_is_left_out():
    """Who reads "recovery from opioid use" need not read "recovery from substance use"; unrelated reasons stay."""
    terms = [
        Term("shared:substance", 1),
        Term("shared:substance.opioids", 1),
        Term("shared:overdose", 1),
        Term("closeness", 1),
    ]
    assert wording.reasons(terms, "en") == [
        "In common: Recovery from opioid use",
        "In common: Having survived an overdose",
        "Close by",
    ]


def test_both_languages_of_the_pages_have_the_same_words():
    """No page falls into English by accident, and every reason to decline has its words."""
    assert WORDS["en"].keys() == WORDS["es"].keys() >= set(DECLINE_REASONS)
    assert all(text.strip() for words in WORDS.values() for text in words.values())


def test_a_language_is_the_language_and_not_the_region():
    """es-MX is es, sgn-ase is ase; what is no language is nothing."""
    tags = ["es-MX", "sgn-ase", "ase", "zh-Hant-TW", "xx", "und", "12", ""]
    assert [tongues.primary(tag) for tag in tags] == ["es", "ase", "ase", "zh", "", "", "", ""]


def test_a_referral_is_read_from_its_event():
    """Parents are added, regions dropped, the harder of two wishes holds, unknown urgency is the most urgent."""
    wishes = [
        events_pb2.Preference(code="gender.woman", strength=events_pb2.STRENGTH_MUST),
        events_pb2.Preference(code="gender.woman", strength=events_pb2.STRENGTH_SOME),
        events_pb2.Preference(code="from-a-newer-taxonomy", strength=events_pb2.STRENGTH_STRONG),
    ]
    message = a_submission(
        urgency=0, languages=["es-MX", "es", "xx"], preferences=wishes, modalities=["hologram"]
    )
    need = codec.need(message)
    assert need.urgency == "immediate" and need.languages == ("es",)
    assert need.preferences == {"gender.woman": "must", "from-a-newer-taxonomy": "strong"}
    assert need.experience == {"substance", "substance.opioids", "overdose"}
    assert (
        need.modalities == {"bedside", "phone"}
        and need.source_place is not None
        and need.source_place.state == "NY"
    )
    assert codec.need(a_submission(facility_zip="nowhere")).source_place is None


def test_a_time_outside_the_calendar_is_no_time():
    """A timestamp nobody can mean does not stop the referral."""
    message = a_submission(
        expected_departure_at=Timestamp(seconds=10**15),
        consent_expires_at=Timestamp(seconds=1_800_000_000, nanos=1_999_999),
    )
    need = codec.need(message)
    assert need.expected_departure_at is None
    assert need.consent_expires_at == datetime.fromtimestamp(1_800_000_000, UTC).replace(microsecond=1000)


def test_an_incomplete_answer_names_every_missing_field():
    """Accepting without anything names four fields, declining three."""
    with pytest.raises(Refusal) as refused:
        codec.acceptance(pb.AcceptOfferRequest())
    assert [f.path for f in refused.value.faults] == [
        "offer_id",
        "idempotency_key",
        "modality",
        "promised_arrival_at",
    ]
    with pytest.raises(Refusal) as refused:
        codec.declining(pb.DeclineOfferRequest(idempotency_key="x" * 201, offer_id="o", reason_code="busy"))
    assert [(f.path, f.code) for f in refused.value.faults] == [("idempotency_key", "too-long")]


def test_the_ladder_of_immediate_referrals_is_a_setting():
    """Two lists of the same length; anything else is told as one settings fault."""
    settings = read(Settings, _BASE | {"KINDRED_WAVE_SECONDS": "2,3,4", "KINDRED_WAVE_SIZES": "1,2,3"})
    assert [(w.size, w.seconds) for w in settings.immediate_ladder()] == [(1, 2), (2, 3), (3, 4)]
    for sizes, seconds in (("3", "1,2"), ("x", "1"), ("0", "1")):
        with pytest.raises(SettingsFaults, match="KINDRED_WAVE_SIZES"):
            read(Settings, _BASE | {"KINDRED_WAVE_SECONDS": seconds, "KINDRED_WAVE_SIZES": sizes})
