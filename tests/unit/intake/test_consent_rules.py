"""The rules inside a consent, weighed against an evaluator that tries every reading."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.intake.domain import labels, provisions
from services.intake.domain.provisions import Actor, Ask, Coding, Item, Match, Provision, Resource

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
OPIOIDS = Item("Condition", (Coding(ICD, "F11.20"),), frozenset({"OPIOIDUD"}), "R")
PERSON = Item("Patient")
WORDS = Item("Annotation", sensitivities=None, confidentiality="R")
US = Actor("IRCP", "us", ("Kindred",))
ELSEWHERE = Actor("IRCP", "other", ("Elm Street Clinic",))
SOMEBODY = Actor("IRCP", "unknown")
KEEPER = Actor("CST", "other", ("St. Elsewhere",))


def permits(root: Provision, item: Item = OPIOIDS, purpose: str = "TREAT", **asked) -> bool:
    """What the engine decides of one part."""
    ask = Ask(NOW, (item,), our_names=("Kindred",), policies=frozenset({labels.PART_2}), **asked)
    return provisions.permits(root, ask, item, purpose)


def rule(is_permit: bool | None = True, *inner: Provision, **said) -> Provision:
    """A rule with exceptions."""
    return Provision(is_permit=is_permit, inner=inner, **said)


# A reference that shares no line with the engine: every MAYBE of every rule is tried as yes and as no, every unsaid
# type as permit and as deny, and only what all readings permit is permitted.


def readings(node: Provision, ask: Ask, item: Item, is_root: bool = True) -> Iterator[tuple]:
    """Plain trees (applies, permits, exceptions), one for every way the document can be understood."""
    found = provisions.match(node, ask, item)
    applies = {Match.YES: (True,), Match.NO: (False,), Match.MAYBE: (True, False)}[found]
    is_silent = node.is_permit is None and not (is_root and not provisions.is_ambiguous(node))
    own = node.base if node.is_permit is None and is_root else node.is_permit
    says = (True, False) if is_silent or (node.unread and not is_root) else (bool(own),)
    below = [list(readings(one, ask, item, False)) for one in node.inner]
    yield from itertools.product(applies, says, itertools.product(*below))


def answer(reading: tuple) -> bool:
    """What a plain tree says where it applies."""
    said = [answer(one) for one in reading[2] if one[0]]
    return all(said) if said else reading[1]


def reference(root: Provision, ask: Ask, item: Item) -> bool:
    """The decision of the slow evaluator."""
    outside = root.base is True and root.is_permit is False
    return all(
        answer(reading) if reading[0] else outside for reading in readings(root, ask, item, is_root=True)
    )


PIECES = {
    "starts_at": st.sampled_from([None, NOW - timedelta(days=9), NOW + timedelta(days=9)]),
    "actors": st.lists(st.sampled_from([US, ELSEWHERE, SOMEBODY, KEEPER]), max_size=2).map(tuple),
    "actions": st.sampled_from([(), ("disclose",), ("correct",), ("",)]),
    "purposes": st.sampled_from([(), ("TREAT",), ("HRESCH",), ("ETREAT",), ("HOPERAT", "COC"), ("words",)]),
    "labels": st.sampled_from(
        [(), (Coding(labels.CONFIDENTIALITY, "N"),), (Coding(labels.ACT_CODE, "SUD"),), (Coding("", "R"),)]
    ),
    "codes": st.sampled_from(
        [(), (Coding(ICD, "F11"),), (Coding(ICD, "B20"),), (Coding("http://snomed.info/sct", "1"),)]
    ),
    "unread": st.sampled_from([(), (), ("modifierExtension",)]),
}
NESTED = st.recursive(
    st.builds(Provision, is_permit=st.sampled_from([True, False, None]), **PIECES),
    lambda inner: st.builds(
        Provision,
        is_permit=st.sampled_from([True, False, None]),
        inner=st.lists(inner, max_size=2).map(tuple),
        **PIECES,
    ),
    max_leaves=4,
)
ROOTS = st.builds(lambda one, base: replace(one, base=base), NESTED, st.sampled_from([None, True, False]))


@settings(max_examples=200, deadline=None)
@given(ROOTS, st.sampled_from([OPIOIDS, PERSON, WORDS]), st.sampled_from(["TREAT", "COC", "CAREMGT"]))
def test_the_engine_permits_exactly_what_every_reading_permits(root: Provision, item: Item, purpose: str):
    """P7: what may be a denial is one, and nothing else is."""
    ask = Ask(NOW, (item,), our_names=("Kindred",), purposes=(purpose,))
    assume(sum(1 for _ in itertools.islice(readings(root, ask, item), 1_001)) <= 1_000)
    assert provisions.permits(root, ask, item, purpose) is reference(root, ask, item)


@settings(max_examples=100, deadline=None)
@given(ROOTS, st.sampled_from([OPIOIDS, PERSON, WORDS]))
def test_one_more_denial_never_permits_more(root: Provision, item: Item):
    """A rule that denies, added beside others, can only take away."""
    stricter = replace(root, inner=(*root.inner, rule(False)))
    assert permits(root, item) or not permits(stricter, item)


@pytest.mark.parametrize(
    ("root", "is_permitted"),
    [
        (rule(True), True),
        (rule(False), False),
        (rule(None), False),
        (rule(None, base=True), True),
        (rule(None, base=False), False),
        # narrowed to us, or to somebody else
        (rule(True, actors=(US,)), True),
        (rule(True, actors=(ELSEWHERE, US)), True),
        (rule(True, actors=(ELSEWHERE,)), False),
        (rule(True, actors=(SOMEBODY,)), False),
        (rule(True, actors=(KEEPER,)), False),
        (rule(True, actors=(Actor("CST", "source", ()),)), True),
        (rule(True, actors=(Actor("CONSENTER", "other", ("Mother",)),)), True),
        (rule(True, actors=(Actor("AUT", "source", ()), ELSEWHERE)), False),
        # conditions without a type mean either
        (rule(None, actors=(US,), base=True), False),
        # an opt-in with an exception, an opt-out with one
        (rule(False, base=True), False),
        (rule(False, actors=(ELSEWHERE,), base=True), True),
        (rule(False, actors=(SOMEBODY,), base=True), False),
        (rule(True, actors=(US,), base=False), True),
        (rule(True, actors=(ELSEWHERE,), base=False), False),
        # exceptions
        (rule(True, rule(False)), False),
        (rule(True, rule(False, actors=(ELSEWHERE,))), True),
        (rule(True, rule(False, actors=(US,))), False),
        (rule(True, rule(False, actors=(SOMEBODY,))), False),
        (rule(False, rule(True, actors=(US,))), True),
        (rule(False, rule(True, actors=(SOMEBODY,))), False),
        (rule(True, rule(None, actors=(ELSEWHERE,))), True),
        (rule(True, rule(None, actors=(US,))), False),
        # an exception inside an exception
        (rule(True, rule(False, rule(True, purposes=("TREAT",)))), True),
        (rule(True, rule(False, rule(True, purposes=("HRESCH",)))), False),
        (rule(False, rule(True, rule(False, codes=(Coding(ICD, "F11"),)))), False),
        (rule(False, rule(True, rule(False, codes=(Coding(ICD, "B20"),)))), True),
        # side by side, the denial wins
        (rule(False, rule(True, actors=(US,)), rule(False, purposes=("TREAT",))), False),
        (rule(False, rule(True, actors=(US,)), rule(False, purposes=("HRESCH",))), True),
        # purposes
        (rule(True, purposes=("TREAT",)), True),
        (rule(True, purposes=("HPAYMT", "HOPERAT", "TREAT")), True),
        (rule(True, purposes=("HRESCH",)), False),
        (rule(True, purposes=("ETREAT",)), False),
        (rule(True, rule(False, purposes=("HMARKT", "HRESCH"))), True),
        (rule(True, rule(False, purposes=("ETREAT",))), False),
        # actions
        (rule(True, actions=("access",)), True),
        (rule(True, actions=("correct",)), False),
        (rule(True, rule(False, actions=("correct",))), True),
        (rule(True, rule(False, actions=("",))), False),
        # parts of the record
        (rule(True, classes=(Coding(provisions.RESOURCE_TYPES, "Immunization"),)), False),
        (rule(True, classes=(Coding(provisions.RESOURCE_TYPES, "Condition"),)), True),
        (rule(True, rule(False, classes=(Coding(provisions.RESOURCE_TYPES, "Immunization"),))), True),
        (rule(True, rule(False, classes=(Coding("urn:elsewhere", "Diagnoses"),))), False),
        (rule(True, rule(False, codes=(Coding(ICD, "F11"),))), False),
        (rule(True, rule(False, codes=(Coding(ICD, "F10"),))), True),
        (rule(True, rule(False, codes=(Coding("http://loinc.org", "34133-9"),))), True),
        (rule(True, rule(False, codes=(Coding("http://snomed.info/sct", "75544000"),))), False),
        (rule(True, rule(False, codes=(Coding("", ""),))), False),
        (rule(True, rule(False, data=(Resource("instance", "Task"),))), True),
        (rule(True, rule(False, data=(Resource("related", "Task"),))), False),
        (rule(True, rule(False, data=(Resource("instance", "Condition", True),))), False),
        # labels: R means "R or lower"
        (rule(True, labels=(Coding(labels.CONFIDENTIALITY, "R"),)), True),
        (rule(True, labels=(Coding(labels.CONFIDENTIALITY, "N"),)), False),
        (rule(True, rule(False, labels=(Coding(labels.ACT_CODE, "SUD"),))), False),
        (rule(True, rule(False, labels=(Coding(labels.ACT_CODE, "BH"),))), False),
        (rule(True, rule(False, labels=(Coding(labels.ACT_CODE, "HIV"),))), True),
        (rule(True, rule(False, labels=(Coding(labels.CONFIDENTIALITY, "R"),))), False),
        (rule(True, rule(False, labels=(Coding(labels.CONFIDENTIALITY, "N"),))), False),
        (rule(True, rule(False, labels=(Coding(labels.ACT_CODE, "42CFRPart2"),))), False),
        (rule(True, rule(False, labels=(Coding("", "HIV"),))), False),
        # times
        (rule(True, rule(False, ends_at=NOW)), True),
        (rule(True, rule(False, starts_at=NOW)), False),
        (rule(False, rule(True, ends_at=NOW)), False),
        (rule(True, data_from=NOW - timedelta(days=1), data_until=NOW + timedelta(days=1)), True),
        (rule(True, data_until=NOW - timedelta(days=1)), False),
        # what is not understood
        (rule(True, unread=("modifierExtension",)), False),
        (rule(True, rule(True, unread=("modifierExtension",))), False),
        (rule(True, rule(False, actors=(ELSEWHERE,), unread=("modifierExtension",))), True),
    ],
)
def test_each_rule_means_what_r4_says(root: Provision, is_permitted: bool):
    """Base rule, exceptions and their exceptions; every condition; and silence, which is no yes."""
    assert permits(root) is is_permitted


def test_free_words_may_be_about_anything():
    """A denial of one sensitivity holds for words that nobody coded."""
    without_hiv = rule(True, rule(False, labels=(Coding(labels.ACT_CODE, "HIV"),)))
    assert permits(without_hiv, OPIOIDS)
    assert not permits(without_hiv, WORDS)


def test_a_recipient_may_be_excepted_by_name():
    """A denial that names the one specialist, or their programme, holds for them and for nobody else."""
    but_not_him = rule(True, rule(False, actors=(Actor("IRCP", "other", ("spec-ex",)),)))
    assert permits(but_not_him, recipients=("spec-ruth", "harbor"))
    assert not permits(but_not_him, recipients=("spec-ex", "harbor"))
