"""The fictional roster: the same for the same seed, in the words of the taxonomy."""

import csv
import json
from pathlib import Path

from cli.demo import roster

ROOT = Path(__file__).resolve().parents[3]
TAXONOMY = ROOT / "protos" / "kindred" / "taxonomy" / "taxonomy.v1.json"


def test_the_same_seed_gives_the_same_people() -> None:
    """A demonstration can be repeated and compared."""
    assert roster.specialists(50, seed=7) == roster.specialists(50, seed=7)
    assert roster.specialists(50, seed=7) != roster.specialists(50, seed=8)


def test_every_attribute_is_in_the_taxonomy() -> None:
    """A roster speaks the words matching understands."""
    known = {one["code"] for one in json.loads(TAXONOMY.read_text(encoding="utf-8"))["attributes"]}
    people = roster.specialists(500, seed=7)
    used = {part.rsplit(":", 1)[0] for row in people for part in row["attributes"].split(";") if part}
    assert used <= known
    assert len(used) > 35


def test_a_few_specialists_keep_their_gender_to_themselves() -> None:
    """There are some, so that the demonstration shows what becomes of them; and most say what they are."""
    people = [row for row in roster.specialists(200, seed=7) if row["role"] == "specialist"]
    quiet = [r for r in people if ";gender." in r["attributes"] and r["attributes"].endswith(":private")]
    withheld = [row for row in quiet if row["agrees_to_private_use"] == "no"]
    assert 5 <= len(withheld) < len(quiet) <= 50


def test_addresses_can_reach_nobody() -> None:
    """Every e-mail address ends in a name that is reserved for examples."""
    assert {row["email"].rpartition(".")[2] for row in roster.specialists(100, seed=7)} == {"example"}


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    """Both formats carry the same people."""
    people = roster.specialists(20, seed=7)
    roster.write(tmp_path / "r.csv", people)
    roster.write(tmp_path / "r.jsonl", people)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == people
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == [{name: value for name, value in row.items() if value} for row in people]
