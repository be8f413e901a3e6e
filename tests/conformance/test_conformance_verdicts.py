"""The judgement of `make conformance`, as a test: every file of others is judged as it was reviewed, and by a rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.intake.r4 import messages
from tests.conformance import report
from tests.conformance.judging import fhir_files, hl7v2_files, verdict
from tests.conformance.judging.rules import RULES, rule_of
from tests.conformance.judging.verdict import Reason, Verdict
from tests.conftest import SHARED_DATA

needs_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="../shared/data is not here: no files of others to judge"
)


@needs_data
@pytest.mark.needs_shared_data
def test_every_file_is_judged_as_it_was_reviewed_and_by_a_rule(mongo_uri: str):
    """No verdict differs from the reviewed table, and each refusal names the rule that asks for it."""
    found = [*fhir_files.judge_all(SHARED_DATA), *hl7v2_files.judge_all(SHARED_DATA, mongo_uri)]
    assert found
    assert verdict.compared(found).differ == {}
    assert [one.file for one in found if not one.is_ruled()] == []
    assert [one.file for one in found if one.referral == "refused" and not one.reasons] == []


@pytest.mark.parametrize(
    ("name", "text", "standard", "referral", "codes"),
    [
        ("a.json", '{"resourceType": "Patient", "gender": "m"}', "invalid R4", "refused", ["code-not-in-value-set"]),
        ("b.json", '{"resourceType": "Patient", "gender": "male"}', "valid R4", "no submission", []),
        ("c.json", '{"hook": "patient-view"}', "no resource", "refused", ["resource-type-unknown"]),
        ("d.json", "{", "no JSON", "refused", ["json-invalid"]),
        ("e.json", '{"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {"resourceType": '
         '"Patient"}}]}', "invalid R4", "refused", ["bdl-3"]),
        ("f.json", '{"resourceType": "Bundle", "type": "collection"}', "valid R4", "refused",
         ["service-request-missing"]),
        ("g.fsh", "Instance: x", "FHIR Shorthand", "not sent", []),
        ("h.txt", "x", "no FHIR", "not sent", []),
    ],
)  # fmt: skip
def test_a_new_file_is_judged_by_the_rules(
    tmp_path: Path, name: str, text: str, standard: str, referral: str, codes: list[str]
):
    """A file nobody has reviewed gets the verdict the standard gives it."""
    path = tmp_path / name
    path.write_text(text)
    found = fhir_files.judge(path, name)
    assert found.row() == {"standard": standard, "referral": referral, "codes": codes}
    assert found.is_ruled()


def test_another_verdict_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that was accepted and is refused now differs; unknown ones are new, lost ones are gone."""
    monkeypatch.setattr(verdict, "TABLE", tmp_path / "verdicts.json")
    verdict.keep([Verdict("a", "valid R4", "accepted"), Verdict("b", "valid R4", "accepted")])
    now = [
        Verdict("a", "valid R4", "refused", (Reason("missing", "x", rule_of("missing")),)),
        Verdict("c", "", ""),
    ]
    found = verdict.compared(now)
    assert (list(found.differ), found.new, found.gone) == (["a"], ["c"], ["b"])
    assert not Verdict("d", "", "refused", (Reason("invented", "x", rule_of("invented")),)).is_ruled()


def test_without_the_data_the_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """The command works where nobody put the files of others, and says that they are not there."""
    monkeypatch.setattr(report, "DATA", tmp_path / "nowhere")
    assert report.main([]) == 0
    assert "not here" in capsys.readouterr().out


def test_every_code_of_the_validator_has_a_rule_and_every_reviewed_code_too():
    """What can be told of a resource can be justified."""
    assert [code for code in messages.FAULTS if not rule_of(code)] == []
    reviewed = {code for row in verdict.reviewed().values() for code in row["codes"]}  # type: ignore[attr-defined]
    assert [code for code in reviewed if not rule_of(code)] == []
    assert all(RULES.values())
    assert json.loads(verdict.TABLE.read_text())
