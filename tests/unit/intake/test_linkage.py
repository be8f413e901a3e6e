"""When two descriptions are one person's: certain, for people to look at, or two people."""

from __future__ import annotations

from dataclasses import replace
from math import log2
from pathlib import Path

import pytest

from services.intake import likeness
from services.intake.domain import linkage
from services.intake.domain.comparison import Beside, levels
from services.intake.domain.linkage import Outcome, Verdict, judge
from services.intake.domain.nicknames import FORMALS, formals, is_nickname, may_be_nickname
from services.intake.domain.person import Person, RecordNumber, normalized
from services.intake.store.blind import BlindIndex
from tests import linkage_people
from tests.unit.intake.intake_builders import a_person

CERTAIN, UNCERTAIN, DIFFERENT = Outcome.CERTAIN, Outcome.UNCERTAIN, Outcome.DIFFERENT
BARE = replace(a_person(), record_numbers=())
FREQUENT = replace(BARE, family_name="Garcia", given_name="Maria", phones=())
_RARE = {("birth", "year-slip"), ("generation", "same"), ("family", "swapped"), ("given", "maybe-nickname")}
BLIND = BlindIndex(b"7" * 96)


def verdict(known: Person, new: Person, **beside: bool) -> Verdict:
    return judge(known, new, Beside(**beside), likeness.is_alike)


@pytest.mark.parametrize(
    ("given", "outcome", "why"),
    [
        ({}, CERTAIN, "a rare name and the birth date"),
        ({"phones": ()}, CERTAIN, "also where no phone is said"),
        ({"family_name": "QUILLFEATHER"}, CERTAIN, "letters' case"),
        ({"family_name": "Quilfeather"}, CERTAIN, "one slip in the family name, one phone"),
        ({"family_name": "Quilfeather", "phones": ()}, UNCERTAIN, "the slip, with nothing beside it"),
        ({"family_name": "Brackwater"}, CERTAIN, "a married name, one phone"),
        (
            {"family_name": "Brackwater", "phones": ()},
            UNCERTAIN,
            "a rare given name of that day: she may have married",
        ),
        ({"given_name": "Wrenn"}, UNCERTAIN, "a given name is not guessed: it may be a twin's"),
        (
            {"given_name": "Rowan"},
            DIFFERENT,
            "a twin: one family, one birth date, one phone, another given name",
        ),
        ({"birth_date": "1988-01-04"}, UNCERTAIN, "day and month swapped"),
        ({"birth_date": "1988-04-02"}, UNCERTAIN, "one digit"),
        ({"birth_date": "1989-04-01"}, UNCERTAIN, "one digit of the year"),
        ({"birth_date": "1878-04-01"}, UNCERTAIN, "a century that cannot be is a slip"),
        ({"birth_date": "1958-04-01"}, DIFFERENT, "a junior, whose father's year differs in one digit"),
        ({"birth_date": "1961-11-30"}, DIFFERENT, "father and son of one name and home"),
        ({"birth_date": "1988"}, UNCERTAIN, "only the year is said"),
        ({"suffix": "Jr."}, CERTAIN, "a generation only one side says"),
        ({"family_name": "Wren", "given_name": "Quillfeather"}, CERTAIN, "the names turned round, one phone"),
        ({"given_name": "Wren Opal"}, CERTAIN, "a second given name, one phone"),
    ],
)
def test_what_differs_decides_by_how_it_differs(given: dict, outcome: Outcome, why: str):
    """Each kind of difference has its own end, whichever side is asked first."""
    other = replace(BARE, **given)
    assert verdict(BARE, other).outcome is outcome, why
    assert verdict(other, BARE).outcome is outcome, why


def test_generations_tell_father_and_son_apart_also_with_one_birth_date():
    """Senior and Junior, typed with one birth date, are for people to look at, however much agrees."""
    one, other = replace(BARE, suffix="Sr"), replace(BARE, family_name="Quillfeather Jr")
    assert verdict(one, other).caveats == ("generation-conflict",)
    assert verdict(one, other).outcome is UNCERTAIN


def test_a_frequent_name_and_birth_date_are_not_enough_elsewhere():
    """Maria Garcia of one day is certain at the same door within half a day, elsewhere only by her own phone."""
    assert verdict(FREQUENT, FREQUENT).outcome is UNCERTAIN
    assert verdict(FREQUENT, replace(FREQUENT, family_name="Smith")).outcome is DIFFERENT
    assert verdict(FREQUENT, FREQUENT, is_same_source=True).outcome is CERTAIN
    reached = replace(FREQUENT, phones=("+1 518 555 0142",))
    same_phone = replace(FREQUENT, phones=("(518) 555-0142",))
    assert verdict(reached, same_phone).outcome is CERTAIN
    assert verdict(reached, same_phone, is_phone_shared=True).outcome is UNCERTAIN


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Robert", "Bob", "nickname"),
        ("Guadalupe", "Lupita", "nickname"),
        ("Francisco", "Paco", "nickname"),
        ("Alex", "Alexandra", "maybe-nickname"),
        ("Maria", "Maria Elena", "part-compound"),
        ("Maria Elena", "Maria Jose", "second-differs"),
        ("Wren O", "Wren Opal", "part"),
        ("W", "Wren", "initial"),
        ("José", "Jose", "same-frequent"),
        ("Łukasz", "Lukasz", "same"),
        ("Jayden", "Hayden", "alike"),
        ("Wren", "Rowan", "different"),
    ],
)
def test_given_names_have_levels(one: str, other: str, level: str):
    """A nickname is only believed where it can be no other name; second names of twins differ."""
    known, new = replace(BARE, given_name=one), replace(BARE, given_name=other)
    assert levels(known, new, Beside(), likeness.is_alike)["given"] == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Núñez Pérez", "Nunez Perez", "same"),
        ("Perez Nunez", "Nunez-Perez", "same"),
        ("Garcia Lopez", "Lopez Garcia", "same-frequent"),
        ("Garcia Brackwater", "Brackwater", "part"),
        ("De la Cruz", "Cruz", "same-frequent"),
        ("O'Brannagh", "OBrannagh", "same"),
        ("Hernandez", "Fernandez", "different"),
        ("Hernandez", "Hernadez", "alike"),
        ("Müller", "Mueller", "alike"),
        ("Quillfeather", "Brackwater", "different"),
    ],
)
def test_family_names_have_levels(one: str, other: str, level: str):
    """Two surnames in either order, particles, accents; two known names a letter apart are two names."""
    known, new = replace(BARE, family_name=one), replace(BARE, family_name=other)
    assert levels(known, new, Beside(), likeness.is_alike)["family"] == level


def test_a_former_name_that_was_said_is_known():
    """A maiden name that one side states explains another family name."""
    married = replace(BARE, family_name="Brackwater", former_names=("Quillfeather",))
    assert levels(BARE, married, Beside(), likeness.is_alike)["family"] == "former"
    assert verdict(BARE, married).outcome is CERTAIN


def test_somebody_unknown_is_identified_by_the_visits_or_the_records_number():
    """A John Doe and the name found later are one person where one number says so, and never otherwise."""
    doe = Person(family_name="Doe", given_name="John", birth_date="1900-01-01", phones=BARE.phones)
    number = (RecordNumber("urn:oid:2.999.1", "MRN-70077"),)
    assert verdict(doe, BARE, is_same_visit=True).outcome is CERTAIN
    assert verdict(replace(doe, record_numbers=number), a_person()).outcome is CERTAIN
    assert verdict(doe, BARE).outcome is DIFFERENT
    assert verdict(doe, doe).outcome is DIFFERENT
    assert (doe.name_key(), Person("Unknown", "Trauma", "1900-01-01").name_key()) == ("", "")


def test_a_visit_has_one_patient_unless_the_sides_contradict_each_other():
    """A mistyped name under one visit's number is one person; another number, or a twin's name, is not."""
    assert verdict(BARE, replace(BARE, given_name="Wrenna", phones=()), is_same_visit=True).outcome is CERTAIN
    assert verdict(BARE, replace(BARE, given_name="Rowan"), is_same_visit=True).outcome is UNCERTAIN
    other = a_person(record_numbers=(RecordNumber("urn:oid:2.999.1", "MRN-2"),))
    assert verdict(a_person(), other, is_same_visit=True).outcome is UNCERTAIN


def test_a_record_number_with_anothers_name_goes_to_people():
    """A clerk may have picked the wrong record: its number alone joins no two who are told apart by everything else."""
    number = a_person().record_numbers
    stranger = Person("Brackwater", "Otis", "1951-09-09", number)
    assert verdict(a_person(), stranger).outcome is UNCERTAIN
    twin = a_person(given_name="Rowan")
    assert verdict(a_person(), twin).outcome is UNCERTAIN
    renamed = a_person(family_name="Brackwater", phones=())
    assert verdict(a_person(), renamed).outcome is CERTAIN


@pytest.mark.parametrize("value", ["000-00-0000", "9999999", "UNKNOWN", "123456789", "n/a", "-"])
def test_what_is_typed_for_no_number_joins_nobody(value: str):
    """A placeholder is no number: it finds nobody and contradicts nobody."""
    number = RecordNumber("urn:oid:2.999.1", value)
    assert number.is_placeholder()
    assert BLIND.person(replace(BARE, record_numbers=(number,))).records == {}
    other = replace(BARE, given_name="Rowan", family_name="Ash", record_numbers=(number,))
    assert (
        levels(replace(BARE, record_numbers=(number,)), other, Beside(), likeness.is_alike)["number"]
        == "unsaid"
    )


def test_no_false_join_among_generated_pairs_that_are_easily_confused():
    """Of 4,000 hard pairs of two people none is joined; `make bench B=linkage_bench` asks 100,000."""
    joined = [
        name
        for name, (known, new, beside) in linkage_people.two_people(20261122, 4_000)
        if judge(known, new, beside, likeness.is_alike).outcome is CERTAIN
    ]
    assert joined == []


def test_one_person_described_twice_is_usually_found_and_never_lost():
    """With one record number nearly all are joined, and the rest is for people; without one, few are told apart."""
    numbered = [verdict_of(pair).outcome for _, pair in linkage_people.one_person(7, 600, with_number=True)]
    assert numbered.count(CERTAIN) / len(numbered) > 0.85
    assert DIFFERENT not in numbered
    bare = [verdict_of(pair).outcome for _, pair in linkage_people.one_person(7, 600)]
    assert bare.count(CERTAIN) / len(bare) > 0.35
    assert bare.count(DIFFERENT) / len(bare) < 0.06


def verdict_of(pair: linkage_people.Pair) -> Verdict:
    return judge(*pair, likeness.is_alike)


def test_one_persons_descriptions_share_a_trail():
    """Whoever should be compared is found by the blind index: misspelled, renamed, redated or turned round."""
    pairs = [pair for _, pair in linkage_people.one_person(11, 600)]
    lost = [pair for pair in pairs if set(BLIND.trails(pair[0])).isdisjoint(BLIND.trails(pair[1]))]
    assert len(lost) / len(pairs) < 0.01


def test_a_trail_tells_nothing_and_is_anothers_with_another_key():
    """Trails are keyed hashes: no word of the person stands in them, and a second key makes others."""
    trails = BLIND.trails(BARE)
    assert len(trails) == len(set(trails)) > 3
    assert set(trails).isdisjoint(BlindIndex(b"8" * 96).trails(BARE))
    assert all(len(trail) == 16 and set(trail) <= set("0123456789abcdef") for trail in trails)


def test_weights_follow_from_the_written_probabilities():
    """Each weight is log2(m/u); agreement speaks for, difference against, and CERTAIN is above UNCERTAIN."""
    for name, rows in linkage.PROBABILITIES.items():
        for level, (m, u) in rows.items():
            assert 0 < m < 1 and 0 < u < 1
            assert linkage.WEIGHTS[name][level] == pytest.approx(log2(m / u), abs=0.06)
        assert rows["same"][0] > rows["same"][1]
    assert linkage.CERTAIN_AT > linkage.UNCERTAIN_AT > 0


def test_every_level_that_a_comparison_can_say_has_a_weight():
    """No level is misspelled: what the generated pairs come to stands in the table, or is unsaid."""
    said: set[tuple[str, str]] = set()
    for _, (known, new, beside) in [
        *linkage_people.two_people(3, 1_000),
        *linkage_people.one_person(3, 450),
    ]:
        said |= set(levels(known, new, beside, likeness.is_alike).items())
    weighed = {(name, level) for name, rows in linkage.PROBABILITIES.items() for level in rows}
    assert {one for one in said if one[0] != "source" and one[1] != "unsaid"} <= weighed
    # A visit's number, an initial and half a birth date are not among the generated.
    assert weighed - said <= {("visit", "same"), ("given", "initial"), ("birth", "partial"), *_RARE}


def test_nicknames_are_of_one_name_or_of_several():
    """An unambiguous short form is a nickname; "Alex" may be two names, and a name is no nickname of itself."""
    assert is_nickname("bob", "robert") and is_nickname("robert", "bob")
    assert may_be_nickname("alex", "alexander") and not is_nickname("alex", "alexander")
    assert not is_nickname("robert", "robert")
    assert formals("wren") == {"wren"}
    assert all(short == normalized(short) for short in FORMALS)


def test_the_documented_weights_are_the_ones_that_count():
    """docs/linkage.md shows every weight as it is."""
    text = (Path(__file__).parents[3] / "docs" / "linkage.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    told = {(row[0], row[1]): float(row[4]) for row in cells if len(row) == 5 and row[0] in linkage.WEIGHTS}
    assert told == {
        (name, level): bits for name, rows in linkage.WEIGHTS.items() for level, bits in rows.items()
    }
    assert f"At least {linkage.CERTAIN_AT:g} bits" in text
    assert all(f"| `{code}` |" in text for code in linkage.CAVEATS)


@pytest.mark.parametrize(
    ("given", "is_visit_same", "is_another"),
    [
        ({}, False, False),
        ({"given_name": "Wrenn"}, False, False),
        ({"family_name": "Hollowbrook"}, False, False),
        ({"family_name": "Ashgrove", "given_name": "Tobias", "birth_date": "1961-12-30"}, False, True),
        ({"family_name": "Ashgrove", "given_name": "Tobias", "birth_date": "1961-12-30"}, True, True),
        ({"family_name": "Ashgrove", "given_name": "Tobias"}, False, False),
        ({"record_numbers": (RecordNumber("urn:oid:2.999.1", "MRN-99"),)}, False, False),
        (
            {"record_numbers": (RecordNumber("urn:oid:2.999.1", "MRN-99"),), "given_name": "Tobias"},
            False,
            True,
        ),
        (
            {"record_numbers": (RecordNumber("urn:oid:2.999.1", "MRN-99"),), "given_name": "Tobias"},
            True,
            False,
        ),
        ({"record_numbers": (), "family_name": "Ashgrove", "given_name": "Tobias"}, False, True),
        ({"record_numbers": (), "given_name": "Robin"}, False, True),
        ({"record_numbers": (), "family_name": "", "given_name": ""}, False, False),
    ],
)
def test_a_correction_never_puts_somebody_elses_words_under_a_name(
    given: dict, is_visit_same: bool, is_another: bool
) -> None:
    """A twin or a stranger is refused; a mistyped number, or a name under the right one, may be corrected."""
    known, new = a_person(), a_person(**given)
    beside = Beside(is_same_visit=is_visit_same)
    assert linkage.is_somebody_else(known, new, beside, likeness.is_alike) is is_another
