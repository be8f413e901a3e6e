"""Trees that fold each tile once: the same proofs, from one question, and full tiles asked for once only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.tlog.folds import FoldedTree, KeptFolds
from services.audit.tlog.tiles import Edge, TiledTree, TilePlace, TilesRefused

SIZE = 70_000
LEAVES = [number.to_bytes(32, "big") for number in range(SIZE)]
HELD = {tile.place: tile.content for tile in Edge().grow(LEAVES)[1]}


class Shelf:
    """Tiles of the tree of `SIZE`, cut to what is asked for, and the questions that were asked."""

    def __init__(self) -> None:
        self.asked: list[list[TilePlace]] = []

    def fetch(self, places):
        """Those of the tiles that are there."""
        self.asked.append(list(places))
        return {place: _cut(place) for place in places}


def _cut(place: TilePlace) -> bytes:
    reach = (SIZE >> (8 * place.level)) - 256 * place.index
    return HELD[TilePlace(place.level, place.index, min(256, reach))][: 32 * place.width]


@settings(max_examples=60)
@given(st.integers(1, SIZE), st.data())
def test_a_folded_tree_proves_what_the_plain_one_proves(size, data):
    """Root's parts, audit paths and consistency proofs of a tree of any size are the same, whatever is kept already."""
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    shelf = Shelf()
    folded, plain = FoldedTree(size, shelf.fetch, KEPT), TiledTree(size, _cut)
    assert folded.prove_inclusion(index) == plain.prove_inclusion(index)
    assert folded.leaf_hash(index) == LEAVES[index]
    assert folded.prove_consistency(old) == plain.prove_consistency(old)
    assert len(shelf.asked) <= 2


KEPT = KeptFolds(most=20)


def test_many_leaves_are_proven_from_one_question_and_full_tiles_are_asked_for_once():
    """A page's proofs cost one fetch; the next page fetches only what can have changed and what it has not seen."""
    shelf, kept = Shelf(), KeptFolds()
    for _ in range(2):
        tree = FoldedTree(SIZE, shelf.fetch, kept)
        tree.prepare([3, 300, 69_999, 40_000])
        for index in (3, 300, 69_999, 40_000):
            tree.prove_inclusion(index)
    first, second = shelf.asked
    assert len([place for place in first if place.is_full]) >= 4
    assert [place for place in second if place.is_full] == []


def test_what_is_kept_of_one_log_stands_for_no_other():
    """Logs of two periods have tiles of the same place, and each its own."""
    kept = KeptFolds()
    kept.keep("", 0, 0, (b"first",))
    kept.keep("2027Q1", 0, 0, (b"second",))
    assert (kept.get("", 0, 0), kept.get("2027Q1", 0, 0)) == ((b"first",), (b"second",))


@pytest.mark.parametrize("content", [b"", bytes(32 * 255)])
def test_a_missing_or_cut_tile_is_an_error_and_not_a_proof(content):
    """The error names the tile, and what was wrong is not kept."""
    kept = KeptFolds()
    with pytest.raises(TilesRefused, match=r"tile/[01]/000"):
        FoldedTree(256, lambda places: dict.fromkeys(places, content), kept).prove_inclusion(1)
    assert FoldedTree(256, lambda places: {each: _cut(each) for each in places}, kept).prove_inclusion(1)
