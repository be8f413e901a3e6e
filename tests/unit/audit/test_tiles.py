"""Paths, bundles and shapes of tiles, as C2SP tlog-tiles writes them."""

import pytest

from services.audit.tlog.merkle import EMPTY_ROOT, CompactRange, inclusion_ranges
from services.audit.tlog.tiles import (
    Edge,
    Tile,
    TiledTree,
    TilePlace,
    TilesRefused,
    bundle_path,
    decode_bundle,
    encode_bundle,
    places_of,
)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (TilePlace(0, 0, 256), "tile/0/000"),
        (TilePlace(0, 273, 112), "tile/0/273.p/112"),
        (TilePlace(1, 1234067, 256), "tile/1/x001/x234/067"),
        (TilePlace(3, 999, 1), "tile/3/999.p/1"),
        (TilePlace(2, 1000, 256), "tile/2/x001/000"),
    ],
)
def test_tile_paths(place, path):
    """A tile's path has three-digit groups, all but the last with an x, and its width when partial."""
    assert place.path() == path


def test_bundle_paths():
    """A bundle's path is that of the leaf tile with "entries" for the level."""
    assert bundle_path(1234067, 8) == "tile/entries/x001/x234/067.p/8"
    assert bundle_path(0) == "tile/entries/000"


def test_the_specifications_example_of_70_000_leaves():
    """273 full and one partial tile at level 0, one and one at level 1, one partial at level 2."""
    places = list(places_of(70_000))
    assert sum(place.level == 0 and place.is_full for place in places) == 273
    assert [place for place in places if not place.is_full] == [
        TilePlace(0, 273, 112),
        TilePlace(1, 1, 17),
        TilePlace(2, 0, 1),
    ]
    assert list(places_of(256)) == [TilePlace(0, 0, 256), TilePlace(1, 0, 1)]
    assert list(places_of(0)) == []


def test_bundles_give_back_their_leaves():
    """A bundle decodes to exactly the leaves that went in, the empty one too."""
    leaves = [b"", b"a", b"x" * 400, bytes(65_535)]
    assert decode_bundle(encode_bundle(leaves)) == leaves


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02a", b"\x00\x01ab"])
def test_cut_bundles_are_refused(bundle):
    """A bundle that ends inside an entry is refused, not shortened."""
    with pytest.raises(TilesRefused):
        decode_bundle(bundle)


def test_leaves_that_no_length_can_hold_are_refused():
    """An entry of 64 KB has no place in a bundle."""
    with pytest.raises(TilesRefused):
        encode_bundle([bytes(65_536)])


def test_an_edge_needs_its_tiles():
    """An edge is not made from missing or cut tiles."""
    with pytest.raises(TilesRefused):
        Edge.of_tiles(3, [])
    with pytest.raises(TilesRefused):
        Edge.of_tiles(3, [Tile(TilePlace(0, 0, 3), bytes(64))])


def test_a_tree_does_not_guess_missing_tiles():
    """A proof from a store that lost a tile is an error that names the tile."""
    with pytest.raises(TilesRefused, match=r"tile/0/000\.p/3"):
        TiledTree(3, lambda place: None).prove_inclusion(1)


def test_the_empty_tree():
    """Nothing has the root RFC 6962 gives it."""
    assert Edge().root() == CompactRange().root() == EMPTY_ROOT
    assert TiledTree(0, lambda place: None).root() == EMPTY_ROOT


def test_growing_leaves_the_old_edge_alone():
    """An edge that was grown and not committed is as it was."""
    edge, _ = Edge().grow([bytes(32)] * 300)
    root = edge.root()
    edge.grow([bytes(32)] * 300)
    assert edge.root() == root and edge.size == 300


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_no_proof_outside_the_tree(index, size):
    """There is no proof for a leaf the tree does not have."""
    with pytest.raises(ValueError, match="not in the tree"):
        inclusion_ranges(index, size)
