"""`kindred submit` and `kindred watch` against a whole running system: every form, killed in the middle, run again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.reach import Reach, Who
from kindred.intake.v1 import intake_pb2
from tests.bundles import a_bundle
from tests.driving import Running, until

ROOT = Path(__file__).resolve().parents[3]
SIGNED = "2026-01-05T08:00:00Z"
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@pytest.fixture
def kindred(running: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one command line for one organization."""
    monkeypatch.setenv("KINDRED_VAR", str(running.place.var))
    runner = CliRunner()

    def run(organization: str, *words: str) -> Result:
        return runner.invoke(app, ["--org", organization, *words])

    return run


def _rows(count: int, prefix: str = "MRN") -> str:
    """People who have nothing in common, so that nobody has to be compared with anybody."""
    header = "record_number,visit_number,family_name,given_name,birth_date,reasons,consent,consent_signed_at"
    lines = [header]
    for number in range(count):
        word = hashlib.sha256(f"{prefix}{number}".encode()).hexdigest().translate(_LETTERS)
        born = date(1950, 1, 1) + timedelta(days=37 * number)
        name = f"Zyx{word[:9]},{word[9:17].title()}"
        lines.append(f"{prefix}-{number},V-{prefix}-{number},{name},{born},overdose,yes,{SIGNED}")
    return "\n".join(lines) + "\n"


def _request_alone(number: str) -> Any:
    """A ServiceRequest that contains its Patient and its Consent."""
    resources = {one["resource"]["resourceType"]: one["resource"] for one in a_bundle(number)["entry"]}
    patient, consent = dict(resources["Patient"], id="who"), dict(resources["Consent"], id="yes")
    consent["patient"] = {"reference": "#who"}
    request = dict(resources["ServiceRequest"], subject={"reference": "#who"}, contained=[patient, consent])
    for name in ("encounter", "requester", "locationReference"):
        request.pop(name, None)
    request["supportingInfo"] = [{"reference": "#yes"}]
    return request


def _referrals_of(running: Running, organization: str) -> list[Any]:
    """Everything the organization has, page by page."""
    os.environ["KINDRED_VAR"] = str(running.place.var)
    reach, found, token = Reach(Who(organization=organization)), [], ""
    try:
        while True:
            page = reach.intake().ListReferrals(
                intake_pb2.ListReferralsRequest(limit=1_000, page_token=token),
                timeout=10,
                metadata=reach.metadata("nurse", "test", purpose="TREAT"),
            )
            found += page.referrals
            if not (token := page.next_page_token):
                return found
    finally:
        reach.close()


def test_a_folder_of_every_form_is_sent_and_sent_again(kindred: Any, running: Running, tmp_path: Path):
    """Good pieces are stored, bad ones told by line, column and code; again, nothing is new; and no word is printed."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.txt").write_text(json.dumps(a_bundle("files-1", kind="collection"), indent=1))
    lines = [json.dumps(a_bundle(f"files-{n}")) for n in (2, 3)]
    (folder / "four").write_text(json.dumps(_request_alone("files-5")))
    (folder / "two.json").write_text("\n".join([*lines, json.dumps(a_bundle("files-4", consent=None))]))
    (folder / "three.dat").write_text(_rows(3) + "MRN-9,,Zyxname,Testperson,1988-13-41,overdose,yes,never\n")
    first = kindred("er-files", "submit", str(folder), "--json")
    assert first.exit_code == 1, first.output
    told = json.loads(first.stdout)
    ends = [(one["file"], one["line"], one["end"]) for one in told]
    assert sorted(ends) == [
        ("four", 1, "stored"),
        ("one.txt", 1, "stored"),
        ("three.dat", 2, "stored"),
        ("three.dat", 3, "stored"),
        ("three.dat", 4, "stored"),
        ("three.dat", 5, "refused"),
        ("two.json", 1, "stored"),
        ("two.json", 2, "stored"),
        ("two.json", 3, "refused"),
    ]
    faults = {one["file"]: one["faults"][0] for one in told if one["end"] == "refused"}
    assert faults["three.dat"]["column"] == "consent_signed_at"
    assert faults["two.json"]["code"] == "consent-missing"
    assert "zyx" not in first.output.casefold()
    assert "marlowe" not in first.output.casefold()
    again = json.loads(kindred("er-files", "submit", str(folder), "--json").stdout)
    known = {one["task"] for one in again if one["end"] == "known"}
    assert known == {one["task"] for one in told if one["end"] == "stored"}
    assert {one.referral_id for one in _referrals_of(running, "er-files")} == known


def test_the_server_refuses_what_only_it_can_know_by_column(kindred: Any, tmp_path: Path):
    """A wish of no taxonomy, a consent that is missing: the fault names the cell, the summary counts it."""
    file = tmp_path / "rows.csv"
    file.write_text("record_number,preferences,facility_zip\nMRN-1,no-such:must,1\n")
    result = kindred("er-columns", "submit", str(file))
    assert result.exit_code == 1
    for word in (
        "attribute-unknown at preferences",
        "zip-unreadable at facility_zip",
        "consent-missing",
        "refused",
    ):
        assert word in result.output.replace("\n", " ")


def test_a_killed_run_loses_and_doubles_nothing(running: Running, tmp_path: Path):
    """kill -9 in the middle, then the same command again: every row is one referral, exactly once."""
    count = 120
    file = tmp_path / "many.csv"
    file.write_text(_rows(count, "KILL"))
    env = {**os.environ, "KINDRED_VAR": str(running.place.var), "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    words = [sys.executable, "-m", "cli", "--org", "er-killed", "submit", str(file), "--json"]
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        until("some are stored", lambda: len(_referrals_of(running, "er-killed")) >= 30)
        first.send_signal(signal.SIGKILL)
    before = {one.referral_id for one in _referrals_of(running, "er-killed")}
    assert 30 <= len(before) < count, "it was killed in the middle"
    second = subprocess.run(words, env=env, capture_output=True, check=False, timeout=120)
    assert second.returncode == 0, second.stderr
    told = json.loads(second.stdout)
    assert {one["end"] for one in told} == {"stored", "known"}
    after = [one.referral_id for one in _referrals_of(running, "er-killed")]
    assert len(after) == len(set(after)) == count
    assert before < set(after) == {one["task"] for one in told}


def _metrics(running: Running) -> str:
    with urllib.request.urlopen(f"http://{running.known.http['intake']}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_watched_referral_is_told_until_it_is_closed(kindred: Any, running: Running, tmp_path: Path):
    """One JSON object a line: first how it stands, last that it is over."""
    file = tmp_path / "one.csv"
    file.write_text(_rows(1, "WATCH"))
    (told,) = json.loads(kindred("er-watch", "submit", str(file), "--json").stdout)

    def revoke() -> None:
        until("the watch has begun", lambda: "kindred_live_streams 1.0" in _metrics(running))
        reach = Reach(Who(organization="er-watch"))
        reach.intake().RevokeConsent(
            intake_pb2.RevokeConsentRequest(referral_id=told["task"]),
            timeout=10,
            metadata=reach.metadata("nurse", "test", purpose="TREAT"),
        )
        reach.close()

    later = threading.Thread(target=revoke)
    later.start()
    result = kindred("er-watch", "watch", told["task"], "--json")
    later.join()
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0, result.output
    assert lines[0]["version"] < lines[-1]["version"]
    assert lines[-1]["status"] == "cancelled"
    versions = [line["version"] for line in lines]
    assert versions == sorted(set(versions))
    unknown = kindred("er-watch", "watch", "ref-nobody-knows")
    assert (unknown.exit_code, "referral-unknown" in unknown.stderr) == (1, True)


def test_messages_without_a_listener_are_refused_in_plain_words(
    kindred: Any, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Nobody waits for a door that is not there: exit code 3 after the time given, and nothing is lost."""
    monkeypatch.setenv("KINDRED_INTAKE_MLLP", "127.0.0.1:1")
    monkeypatch.setattr("cli.importing.sending.PATIENCE_S", 0.2)
    file = tmp_path / "messages.hl7"
    file.write_text("MSH|^~\\&|ER|BRIGID|KINDRED|KINDRED|20261121||REF^I12|1|P|2.5.1\rPID|1\r" * 2)
    result = kindred("er-hl7", "submit", str(file), "--json")
    assert result.exit_code == 3
    assert [one["end"] for one in json.loads(result.stdout)] == ["unsent", "unsent"]
    assert "run the same command again" in result.stderr


def _message(event: str, control_id: str, *more: str) -> str:
    made_at = f"{datetime.now(UTC):%Y%m%d%H%M%S}+0000"
    return "\r".join(
        [
            f"MSH|^~\\&|ENGINE|STBRIGID|KINDRED|HUB|{made_at}||REF^{event}^REF_I12|{control_id}|P|2.5.1|||NE|NE",
            "RF1||S|PEER||E|FILE-77^ENGINE",
            "PRD|RP|OKONKWO^ADA|||||",
            "PID|1||MRN-FILE-77^^^BRIGID&2.999.1&ISO^MR||ZYXQUILL^WREN||19880401",
            "DG1|1||T40.1X1A^^I10|||F",
            "PV1|1|E|ED^12^A",
            *more,
        ]
    )


def test_messages_of_a_file_go_over_mllp_in_their_order(kindred: Any, tmp_path: Path):
    """Whoever sends the file, its sender's hospital has it; sent again, what was taken is known and nothing is made."""
    consent = f"CON|1|001|F-7|C-5||||||W|A||{datetime.now(UTC):%Y%m%d%H%M%S}+0000"
    file = tmp_path / "batch.txt"
    file.write_bytes(
        "\r\n".join(
            [
                "FHS|^~\\&|ENGINE",
                _message("I12", "F-1", consent),
                _message("I14", "F-2"),
                _message("I99", "F-3"),
                "FTS|1",
            ]
        )
        .replace("\r\n", "\r")
        .encode()
    )
    result = kindred("er-any", "submit", str(file), "--json")
    told = json.loads(result.stdout)
    assert [one["end"] for one in told] == ["stored", "stored", "refused"], told
    assert told[0]["task"].startswith("ref-")
    assert told[1]["task"] == told[0]["task"]
    assert told[2]["faults"][0]["code"]
    assert "zyx" not in result.output.casefold()
    again = json.loads(kindred("er-any", "submit", str(file), "--json").stdout)
    assert [(one["end"], one["task"]) for one in again[:2]] == [("known", told[0]["task"])] * 2
