"""A token that was verified is believed for a short while, and never beyond its own end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chassis import identity
from chassis.errors import Refusal
from cli.local import keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of a local issuer."""
    return keys.create(tmp_path)


@pytest.fixture
def reader(folder: Path) -> identity.TokenReader:
    """A reader that knows the issuer."""
    return identity.TokenReader.from_file(folder / "issuer.pub.pem")


def minted(folder: Path, minutes: float) -> str:
    """A token of the issuer."""
    pem = (folder / "issuer.pem").read_bytes()
    return identity.mint(pem, actor_id="nurse-1", role="nurse", minutes=minutes)


def test_a_believed_token_still_ends_when_it_says(
    reader: identity.TokenReader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that was read a moment before it ran out is refused a moment after."""
    token, began = minted(folder, 0.5), time.time()
    assert reader.read(token).actor_id == "nurse-1"
    monkeypatch.setattr(time, "time", lambda: began + 59)  # 30 s of life and 30 s of leeway for clocks
    assert reader.read(token).actor_id == "nurse-1"
    monkeypatch.setattr(time, "time", lambda: began + 62)
    with pytest.raises(Refusal) as caught:
        reader.read(token)
    assert caught.value.code == "token-invalid"


def test_the_purpose_is_the_calls_own(reader: identity.TokenReader, folder: Path) -> None:
    """What is believed is who calls; for which purpose is said anew with every call."""
    token = minted(folder, 5)
    assert [reader.read(token, purpose).purpose_of_use for purpose in ("TREAT", "", "BTG")] == [
        "TREAT",
        "",
        "BTG",
    ]


def test_a_spoiled_copy_of_a_believed_token_is_not_believed(
    reader: identity.TokenReader, folder: Path
) -> None:
    """Another signature on the same claims is another token."""
    token = minted(folder, 5)
    reader.read(token)
    head, claims, signature = token.split(".")
    spoiled = ".".join([head, claims, ("A" if signature[0] != "A" else "B") + signature[1:]])
    with pytest.raises(Refusal):
        reader.read(spoiled)


def test_many_callers_do_not_fill_the_memory(
    reader: identity.TokenReader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many are remembered, and a forgotten one is verified again."""
    monkeypatch.setattr(identity, "_MOST_KNOWN", 3)
    tokens = [minted(folder, minutes) for minutes in (5, 6, 7, 8, 9)]
    for token in [*tokens, *tokens]:
        assert reader.read(token).role == "nurse"
    assert len(reader._known) == 3


@pytest.mark.parametrize("role", [["nurse"], {}, None, 7])
def test_a_role_that_is_no_text_is_refused(reader: identity.TokenReader, folder: Path, role: object) -> None:
    """A well-signed token of a misconfigured issuer is a refusal, not an accident."""
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="nurse-1", role=role)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refused:
        reader.read(token)
    assert refused.value.code == "token-invalid"
