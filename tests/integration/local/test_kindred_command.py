"""The `kindred` command against a whole running system: what people type, and what they are told."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import verify
from cli.app import app
from cli.demo import roster
from tests.bundles import a_bundle
from tests.driving import Er, Running, a_referral, a_specialist, roster_csv, until


@pytest.fixture
def kindred(running: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one command line; its addresses come from the running system's var folder."""
    monkeypatch.setenv("KINDRED_VAR", str(running.place.var))
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(app, list(words))

    return run


def from_elsewhere(count: int, seed: int) -> list[roster.Row]:
    """People of the demonstration who may not serve in New York, so that nobody in this system asks them."""
    people = roster.specialists(count, seed)
    return [row | {"certifications": row["certifications"].replace("NY/", "VT/")} for row in people]


def told(result: Result) -> Any:
    """The JSON answer of a command that succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_status_names_every_process_with_where_it_is(kindred: Any) -> None:
    """Every process of the system stands, and `status` says so with exit code 0."""
    found = {row["name"]: row["state"] for row in told(kindred("status", "--json"))}
    services = {
        f"{name}-{role}"
        for name in ("intake", "matching", "notifications", "audit")
        for role in ("api", "worker")
    }
    assert services | {"mongod", "rabbitmq", "mail"} <= set(found)
    assert set(found.values()) == {"ready"}


def test_bad_roster_rows_are_listed_with_line_and_column_and_good_ones_stored(
    kindred: Any, tmp_path: Path
) -> None:
    """A bad row does not keep the good ones out, and its place is told."""
    people = from_elsewhere(5, seed=99)
    bad = people[0] | {"specialist_id": "bad-1", "zip": "00000", "capacity": "-3"}
    roster.write(tmp_path / "roster.csv", [*people, bad])
    result = kindred("roster", "import", str(tmp_path / "roster.csv"), "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["rows_read"] == len(people) + 1
    assert answer["rows_stored"] + answer["rows_unchanged"] == len(people)
    assert {(fault["line"], fault["column"]) for fault in answer["faults"]} == {(10, "zip"), (10, "capacity")}


def test_a_referral_is_followed_from_the_file_to_the_log(
    kindred: Any, running: Running, tmp_path: Path
) -> None:
    """From the file to the outcome and the log, each command shows the next step of one referral."""
    (tmp_path / "bundle.json").write_text(json.dumps(a_bundle("cli-1", kind="collection")))
    roster.write(tmp_path / "roster.csv", from_elsewhere(120, seed=5))
    told(kindred("roster", "import", str(tmp_path / "roster.csv"), "--json"))
    always = [a_specialist(f"cli-{name}", languages="en:native;es:native") for name in ("ada", "bo")]
    (tmp_path / "always.csv").write_text(roster_csv(always))
    told(kindred("roster", "import", str(tmp_path / "always.csv"), "--json"))
    (answer,) = told(kindred("submit", str(tmp_path / "bundle.json"), "--json"))
    referral = answer["task"]
    until("a case", lambda: kindred("case", referral, "--json").exit_code == 0)
    case = told(kindred("case", referral, "--json"))
    assert case["referral_id"] == referral
    assert kindred("audit", "search", "--referral", referral).exit_code == 0
    entries = until(
        "the submission's entry",
        lambda: told(
            kindred("audit", "search", "--referral", referral, "--type", "referral.submitted.v1", "--json")
        )["entries"],
    )
    assert [entry["event_type"] for entry in entries] == ["referral.submitted.v1"]
    assert told(kindred("notices", "--referral", referral, "--json")) is not None
    first, second = told(kindred("offers", "list", "--referral", referral, "--open", "--json"))[:2]
    no = kindred("offers", "decline", first["offer_id"], "--as", first["specialist_id"], "--json")
    assert told(no) == {"declined": first["offer_id"]}
    told(kindred("offers", "accept", second["offer_id"], "--as", second["specialist_id"], "--json"))
    case = told(kindred("case", referral, "--json"))
    assert (case["state"], case["assigned_specialist_id"]) == ("assigned", second["specialist_id"])
    winner = ("--as", second["specialist_id"], "--json")
    assert len(told(kindred("handoff", referral, *winner))) == 6
    assert told(kindred("checkin", referral, *winner))["outcome"] == "reached"
    told(kindred("complete", referral, "--outcome", "engaged", *winner))
    assert told(kindred("case", referral, "--json"))["state"] == "closed"


def test_a_refused_file_is_told_with_the_place_of_its_fault(kindred: Any, tmp_path: Path) -> None:
    """Exit code 1, the stable code and the path; nothing about the person."""
    (tmp_path / "no-consent.json").write_text(json.dumps(a_bundle("cli-2", consent=None)))
    result = kindred("submit", str(tmp_path / "no-consent.json"), "--json")
    assert result.exit_code == 1
    (answer,) = json.loads(result.stdout)
    assert answer["outcome"].startswith("consent-missing at Bundle.entry")
    assert "Marlowe" not in result.output


def test_the_log_verifies_twice_and_growth_is_checked(kindred: Any) -> None:
    """The second run compares with the checkpoint the first one remembered."""
    first = told(kindred("audit", "verify", "--json"))
    second = told(kindred("audit", "verify", "--json"))
    assert first["verified"]
    assert second["verified"]
    assert second["grown_since"] == first["entries"] <= second["entries"]


def test_an_entry_is_shown_proven_exported_and_the_log_watched(
    kindred: Any, running: Running, tmp_path: Path
) -> None:
    """show, prove, export, fsck, monitor and health of a running system agree; the export verifies without it."""

    def cosigned() -> dict[str, Any]:
        return told(kindred("audit", "health", "--json"))

    kindred("audit", "search", "--limit", "1")
    for log in (0, -1):  # the newest and the root log
        until("a cosigned leaf", lambda at=log: int(cosigned()["logs"][at].get("cosigned_size", 0)) > 0)
    assert told(kindred("audit", "show", "0", "--json"))["audit_event"]["resourceType"] == "AuditEvent"
    proof = told(kindred("audit", "prove", "0", "--out", str(tmp_path / "e.tlog-proof"), "--json"))
    assert proof["proven"] and "ours" in proof["cosigned"]
    export = tmp_path / "export.zip"
    told(kindred("audit", "export", "--out", str(export), "--numbers", "0-1", "--json"))
    alone = subprocess.run([sys.executable, "-I", str(export)], capture_output=True, text=True, check=False)
    assert alone.returncode == 0 and "proven: 1 entries" in alone.stdout
    seen = told(kindred("audit", "monitor", "--json"))
    assert seen["verified"] and seen["cosigned"]
    assert told(kindred("audit", "monitor", "--log", "root", "--json"))["origin"].endswith("/root")
    whole = kindred("audit", "fsck", "--without-bodies", "--json")
    assert json.loads(whole.stdout)["findings"] == []
    hold = told(kindred("audit", "hold", "--reason", "case-1", "--json"))["hold"]
    assert [row["hold_id"] for row in told(kindred("audit", "holds", "--json"))] == [hold]
    nobody = kindred("audit", "erase", "--peer", "peer_x", "--reason", "req-1")
    assert nobody.exit_code == 1 and "no-such-person" in nobody.stderr
    referral = Er(running).submit(a_referral("held")).referral_id
    case = until("the case", lambda: running.database("matching").cases.find_one({"_id": referral}))
    person = case["need"]["peer_id"]
    until(
        "an entry about them", lambda: told(kindred("audit", "search", "--peer", person, "--json"))["entries"]
    )
    held = kindred("audit", "erase", "--peer", person, "--reason", "req-1")
    assert held.exit_code == 1 and "legal-hold" in held.stderr
    assert kindred("audit", "release", hold, "--reason", "over").exit_code == 0
    assert told(kindred("audit", "holds", "--json")) == []


def test_another_signers_key_is_not_believed(kindred: Any) -> None:
    """With `--key` only that key counts."""
    other = verify.verifier_key("kindred.local/audit", bytes(range(32)))
    result = kindred("audit", "verify", "--json", "--key", str(other))
    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "note-unsigned"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("case", "ref-nobody-knows"), "case-unknown"),
        (("offers", "accept", "off_nobody_knows", "--as", "spec-001"), "offer-unknown"),
        (("--role", "nurse", "audit", "search"), "role-not-allowed"),
    ],
)
def test_an_error_is_one_line_with_its_code(kindred: Any, words: tuple[str, ...], code: str) -> None:
    """A refusal is told by its stable code, without a traceback, with exit code 1."""
    result = kindred(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {code}")
    assert "Traceback" not in result.output


def test_a_token_is_minted_for_whom_it_says(kindred: Any) -> None:
    """`kindred token` gives what curl needs."""
    minted = told(kindred("token", "--role", "nurse", "--actor", "nurse-1", "--org", "er-x", "--json"))[
        "token"
    ]
    assert minted.count(".") == 2


def test_every_service_lists_its_parked_events(kindred: Any) -> None:
    """An engineer sees what could not be handled in all four services at once; a whole system starts with nothing."""
    assert told(kindred("parked", "list", "--json")) == []


def test_everything_published_can_be_said_again(kindred: Any) -> None:
    """Of all services or of one, from a moment on; a service nobody has is told so."""
    rows = told(kindred("replay", "--json"))
    assert [row["service"] for row in rows] == ["intake", "matching", "notifications", "audit"]
    assert told(kindred("replay", "audit", "--since", "2999-01-01", "--json")) == [
        {"service": "audit", "replayed": 0}
    ]
    assert kindred("replay", "kitchen").exit_code == 1
