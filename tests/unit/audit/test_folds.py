"""Trees that fold each tile once: the same proofs, from one question, and full tiles asked for once only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.tlog.folds import FoldedTile, FoldedTree, KeptFolds
from services.audit.tlog.tiles import MIDDLE_BYTES, Edge, Tile, TiledTree, TilePlace, TilesRefused

SIZE = 70_000
LEAVES = [number.to_bytes(32, "big") for number in range(SIZE)]
GROWN = {tile.place: tile for tile in Edge().grow(LEAVES)[1]}
HELD = {place: tile.content for place, tile in GROWN.items()}


class Shelf:
    """Tiles of the tree of `SIZE`, cut to what is asked for, with these middles, and the questions that were asked."""

    def __init__(self, middle=lambda place: GROWN[place].middle) -> None:
        self.asked: list[list[TilePlace]] = []
        self._middle = middle

    def fetch(self, places):
        """Those of the tiles that are there."""
        self.asked.append(list(places))
        middles = {place: self._middle(place) if place.is_full else b"" for place in places}
        return {place: Tile(place, _cut(place), middles[place]) for place in places}


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
    first, second = FoldedTile(bytes(32)), FoldedTile(bytes(64))
    kept.keep("", 0, 0, first)
    kept.keep("2027Q1", 0, 0, second)
    assert (kept.get("", 0, 0), kept.get("2027Q1", 0, 0)) == (first, second)


@pytest.mark.parametrize("content", [b"", bytes(32 * 255)])
def test_a_missing_or_cut_tile_is_an_error_and_not_a_proof(content):
    """The error names the tile, and what was wrong is not kept."""
    kept = KeptFolds()
    with pytest.raises(TilesRefused, match=r"tile/[01]/000"):
        FoldedTree(256, lambda places: {each: Tile(each, content) for each in places}, kept).prove_inclusion(
            1
        )
    assert FoldedTree(256, Shelf().fetch, kept).prove_inclusion(1)


def test_a_full_tile_without_its_middle_tells_it_once():
    """A tile from before middles were stored is folded whole, and what was folded halfway up is heard of."""
    heard, kept = [], KeptFolds()
    tree = FoldedTree(SIZE, Shelf(lambda place: b"").fetch, kept, learned=heard.extend)
    plain = TiledTree(SIZE, _cut)
    assert tree.prove_inclusion(3) == plain.prove_inclusion(3)
    FoldedTree(SIZE, Shelf().fetch, kept, learned=heard.extend).prove_inclusion(4)
    assert {tile.place: tile.middle for tile in heard} == {
        place: GROWN[place].middle for place in (TilePlace(0, 0, 256), TilePlace(1, 0, 256))
    }


@pytest.mark.parametrize("index", [0, 17, 255, 69_000])
@pytest.mark.parametrize("middle", [bytes(MIDDLE_BYTES), b"?", bytes(MIDDLE_BYTES + 32)])
def test_a_middle_that_is_a_lie_changes_no_proof(index, middle):
    """A stored middle is used where the tile above agrees with it; else the tile's own hashes are folded."""
    tree = FoldedTree(SIZE, Shelf(lambda place: middle).fetch, KeptFolds())
    assert tree.prove_inclusion(index) == TiledTree(SIZE, _cut).prove_inclusion(index)


def test_a_proof_with_the_stored_middle_folds_two_blocks_of_a_tile():
    """Of the 255 nodes of a tile a path needs thirty."""
    tile = FoldedTile(HELD[TilePlace(0, 5, 256)], GROWN[TilePlace(0, 5, 256)].middle)
    assert tile.siblings(77, 8) == FoldedTile(HELD[TilePlace(0, 5, 256)]).siblings(77, 8)
    assert (tile.is_told, len(tile._blocks)) == (True, 1)
