"""Other people's Merkle vectors, and every (m, n) to 300 against the definition in RFC 6962."""

import base64
import json
from functools import cache
from pathlib import Path

import pytest

from services.audit.tlog.merkle import CompactRange, leaf_hash, node_hash, split_point, subtree_root
from services.audit.tlog.proofs import ProofRefused, verify_consistency, verify_inclusion
from services.audit.tlog.tiles import Edge, Tile, TiledTree, TilePlace, edge_places, places_of

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "audit-vectors"
LARGEST = 300


def _vectors(folder: str) -> list[Path]:
    return sorted((VECTORS / "transparency-dev-merkle" / "testdata" / folder).rglob("*.json"))


def _needs(found: object) -> None:
    if not found:
        pytest.skip("../shared/data/audit-vectors is not beside this checkout")


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _is_refused(check, *arguments) -> bool:
    try:
        check(*arguments)
    except ProofRefused:
        return True
    return False


@pytest.mark.needs_shared_data
def test_inclusion_vectors_of_transparency_dev_agree():
    """Each of 98 inclusion proofs, good or mangled, is judged as its authors judge it."""
    files = _vectors("inclusion")
    _needs(files)
    assert len(files) == 98
    for path in files:
        case = json.loads(path.read_text())
        proof = [_bytes(each) for each in case["proof"] or []]
        found = _is_refused(
            verify_inclusion,
            case["leafIdx"],
            case["treeSize"],
            _bytes(case["leafHash"]),
            proof,
            _bytes(case["root"]),
        )
        assert found == case["wantErr"], path.name


@pytest.mark.needs_shared_data
def test_consistency_vectors_of_transparency_dev_agree():
    """Each of 98 consistency proofs, good or mangled, is judged as its authors judge it."""
    files = _vectors("consistency")
    _needs(files)
    assert len(files) == 98
    for path in files:
        case = json.loads(path.read_text())
        proof = [_bytes(each) for each in case["proof"] or []]
        found = _is_refused(
            verify_consistency,
            case["size1"],
            case["size2"],
            _bytes(case["root1"]),
            _bytes(case["root2"]),
            proof,
        )
        assert found == case["wantErr"], path.name


@pytest.fixture(scope="module")
def reference() -> dict:
    """The classic tree of eight leaves from Certificate Transparency."""
    path = VECTORS / "google-certificate-transparency" / "rfc6962_reference.json"
    _needs(path.exists())
    return json.loads(path.read_text())


@pytest.mark.needs_shared_data
def test_roots_of_the_classic_eight_leaves(reference):
    """The eight roots of Certificate Transparency's own test come out of the compact range and the edge."""
    leaves = [leaf_hash(bytes.fromhex(each)) for each in reference["leaves_hex"]]
    compact = CompactRange()
    for size, (leaf, root) in enumerate(zip(leaves, reference["roots_by_size_1_to_8"], strict=True), start=1):
        compact.append(leaf)
        assert compact.root().hex() == root
        assert Edge().grow(leaves[:size])[0].root().hex() == root


@pytest.mark.needs_shared_data
def test_proofs_of_the_classic_eight_leaves(reference):
    """Its published paths are made, byte for byte, from our tiles, and they verify."""
    leaves = [leaf_hash(bytes.fromhex(each)) for each in reference["leaves_hex"]]
    for case in reference["inclusion_paths"]:
        index, size = case["leaf"], case["tree_size"]
        if size == 0:
            continue  # CT asks for a path in no tree at all; here that is refused (test_tiles.py)
        path = [bytes.fromhex(each) for each in case["path"]]
        assert _tree(leaves[:size]).prove_inclusion(index) == path
    for case in reference["consistency"]:
        proof = [bytes.fromhex(each) for each in case["proof"]]
        old_size, new_size = case["old_size"], case["new_size"]
        assert _tree(leaves[:new_size]).prove_consistency(old_size) == proof
        roots = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
        verify_consistency(old_size, new_size, *roots, proof)


@pytest.mark.needs_shared_data
def test_a_real_proof_from_a_log_of_three_million(reference):
    """A real certificate's proof of 22 hashes verifies."""
    big = reference["big_inclusion"]
    verify_inclusion(
        big["leaf_index"],
        big["tree_size"],
        leaf_hash(bytes.fromhex(big["leaf_hex"])),
        [bytes.fromhex(each) for each in big["audit_path"]],
        bytes.fromhex(big["root"]),
    )


# The reference: RFC 6962 section 2.1, word for word, by recursion over ranges of a list.
LEAVES = [leaf_hash(f"leaf {number}".encode()) for number in range(LARGEST)]


@cache
def mth(start: int, end: int) -> bytes:
    if end - start == 1:
        return LEAVES[start]
    k = start + split_point(end - start)
    return node_hash(mth(start, k), mth(k, end))


def path(m: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    k = split_point(end - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, b: bool) -> list[bytes]:
    if m == end - start:
        return [] if b else [mth(start, end)]
    k = split_point(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, b), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth(start, start + k)]


def _tree(leaves: list[bytes]) -> TiledTree:
    _, tiles = Edge().grow(leaves)
    held = {tile.place: tile.content for tile in tiles}
    return TiledTree(len(leaves), held.get)


@cache
def _trees() -> list[tuple[int, TiledTree]]:
    return [(size, _tree(LEAVES[:size])) for size in range(1, LARGEST + 1)]


def test_every_inclusion_proof_to_300_equals_the_recursive_reference():
    """For every tree to 300 leaves and every leaf: our proof is RFC 6962's, and verifies."""
    for size, tree in _trees():
        assert tree.root() == mth(0, size) == subtree_root(LEAVES[:size])
        for index in range(size):
            proof = tree.prove_inclusion(index)
            assert proof == path(index, 0, size)
            verify_inclusion(index, size, LEAVES[index], proof, mth(0, size))


def test_every_consistency_proof_to_300_equals_the_recursive_reference():
    """For every pair of sizes to 300: our proof is RFC 6962's, and verifies."""
    for size, tree in _trees():
        for old_size in range(1, size + 1):
            proof = tree.prove_consistency(old_size)
            assert proof == subproof(old_size, 0, size, True)
            verify_consistency(old_size, size, mth(0, old_size), mth(0, size), proof)


def test_growing_in_any_steps_gives_the_same_tiles():
    """However a tree of 70,000 is cut into batches, root, tiles and reloaded edge are the same."""
    leaves = [number.to_bytes(32, "big") for number in range(70_000)]
    whole, _ = Edge().grow(leaves)
    edge, held = Edge(), {}
    for start, end in [
        (0, 1),
        (1, 255),
        (255, 256),
        (256, 257),
        (257, 2_304),
        (2_304, 65_535),
        (65_535, 70_000),
    ]:
        edge, tiles = edge.grow(leaves[start:end])
        held |= {tile.place: tile.content for tile in tiles}
        again = Edge.of_tiles(end, (Tile(place, held[place]) for place in edge_places(end)))
        assert again.root() == edge.root() == TiledTree(end, held.get).root()
        edge = again
    assert edge.root() == whole.root()
    assert all(place in held for place in places_of(70_000))
    # The example in the specification's text.
    assert TilePlace(0, 273, 112) in held and TilePlace(1, 1, 17) in held and TilePlace(2, 0, 1) in held
