"""`kindred client`: registrations that intake's own reader takes, whole at every moment."""

from __future__ import annotations

import json
import stat

import pytest
from typer.testing import CliRunner

from cli.app import app
from services.intake.smart import clients


@pytest.fixture
def run(tmp_path, monkeypatch):
    path = tmp_path / "intake" / "smart-clients.json"
    monkeypatch.setenv("KINDRED_SMART_CLIENTS", str(path))
    monkeypatch.setenv("KINDRED_VAR", str(tmp_path))

    def invoke(*words):
        return CliRunner().invoke(app, ["client", *words])

    return invoke, path


ADD = ("add", "mercy-ehr", "--organization", "er-mercy", "--scope", "system/*.crus")


def test_what_is_registered_is_what_intake_reads(run, tmp_path):
    """By address and with a key of its own; added again it is replaced; struck out it is gone."""
    invoke, path = run
    key = tmp_path / "try.jwk"
    assert invoke(*ADD, "--jwks-url", "https://ehr.mercy.example/jwks.json").exit_code == 0
    assert invoke(*ADD, "--new-key", str(key)).exit_code == 1 and not key.exists()
    assert invoke(*ADD, "--new-key", str(key), "--replace").exit_code == 0
    assert (
        invoke(
            "add",
            "board",
            "--organization",
            "er-mercy",
            "--scope",
            "system/Task.rs",
            "--jwks-url",
            "https://b.example/k",
        ).exit_code
        == 0
    )
    [mercy, board] = clients.read(path.read_text())[0]
    assert (mercy.client_id, mercy.jwks_url, len(mercy.jwks["keys"])) == ("mercy-ehr", "", 1)
    assert (board.scopes, board.purpose) == (("system/Task.rs",), "TREAT")
    assert "d" in json.loads(key.read_text()) and "d" not in mercy.jwks["keys"][0]
    assert stat.S_IMODE(key.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o600
    assert invoke("remove", "mercy-ehr").exit_code == 0
    assert [one.client_id for one in clients.read(path.read_text())[0]] == ["board"]
    assert invoke("remove", "mercy-ehr").exit_code == 1
    assert json.loads(invoke("list", "--json").stdout)[0]["keys"] == "https://b.example/k"


def test_a_private_key_is_never_registered_and_none_is_overwritten(run, tmp_path):
    """Mistakes that would give a key away are caught before anything is written."""
    invoke, path = run
    key = tmp_path / "try.jwk"
    assert invoke(*ADD, "--new-key", str(key)).exit_code == 0
    before = path.read_text()
    key_set = tmp_path / "private.json"
    key_set.write_text(json.dumps({"keys": [json.loads(key.read_text())]}))
    for given in (["--jwks", str(key_set)], ["--new-key", str(key)], ["--jwks", str(tmp_path / "none")], []):
        assert invoke(*ADD, "--replace", *given).exit_code == 2
    for wrong in (
        ["--scope", "everything"],
        ["--jwks-url", "http://x.example/k"],
        ["--purpose", "CURIOSITY"],
    ):
        given = wrong if "--jwks-url" in wrong else [*wrong, "--new-key", str(tmp_path / "other.jwk")]
        assert invoke(*ADD, "--replace", *given).exit_code == 2
    assert path.read_text() == before and not (tmp_path / "other.jwk").exists()
