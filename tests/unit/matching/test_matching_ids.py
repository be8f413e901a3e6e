"""Ids of rows in few bytes: found again, in order, however they came."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.ranking.ids import IdTable

IDS = st.lists(st.text("ab.:-_09", min_size=1, max_size=6), unique=True, max_size=60)


@settings(max_examples=100, deadline=None)
@given(IDS, st.lists(st.integers(1, 30), max_size=8))
def test_every_id_has_its_row_and_its_place_in_the_order(ids, portions):
    """Added in portions of any size, merged or sorted anew: row, text and place are those of a plain sorted list."""
    table, known = IdTable(), []
    for size in [*portions, len(ids)]:
        for one in ids[len(known) : len(known) + size]:
            assert table.row(one) is None
            assert table.add(one) == len(known)
            known.append(one)
        assert [table.row(one) for one in known] == list(range(len(known)))
        places = table.places().tolist()
        assert [places[row] for row in range(len(known))] == [sorted(known).index(one) for one in known]
        assert [table.text(row) for row in range(len(known))] == known


def test_a_few_newcomers_among_many_find_their_places():
    """What is merged in between thousands, also several into one gap, is in order."""
    table = IdTable()
    known = [f"s{number:05}" for number in range(0, 9000, 3)]
    for one in known:
        table.add(one)
    table.places()
    for one in ("s00001", "s00002", "a", "z", "s08999"):
        table.add(one)
        known.append(one)
    order = sorted(range(len(known)), key=table.places().tolist().__getitem__)
    assert [known[row] for row in order] == sorted(known)
