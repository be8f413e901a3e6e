"""The command's own verifier, against a ten-line reference and against tampering."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cli import verify
from cli.verify import Checkpoint, NotVerified, Tree

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = "kindred.local/audit"
SIGNER = verify.verifier_key(NAME, KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def reference_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def reference_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(leaves) <= 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*reference_path(index, leaves[:split]), reference_root(leaves[split:])]
    return [*reference_path(index - split, leaves[split:]), reference_root(leaves[:split])]


def reference_consistency(old: int, leaves: list[bytes], *, is_whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if is_whole else [reference_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        left = reference_consistency(old, leaves[:split], is_whole=is_whole)
        return [*left, reference_root(leaves[split:])]
    right = reference_consistency(old - split, leaves[split:], is_whole=False)
    return [*right, reference_root(leaves[:split])]


def leaves_of(size: int) -> list[bytes]:
    return [f"leaf {number}".encode() for number in range(size)]


def at(size: int, leaves: list[bytes]) -> Checkpoint:
    return Checkpoint(NAME, size, reference_root(leaves[:size]))


def signed(text: str, name: str = NAME) -> bytes:
    signature = base64.b64encode(SIGNER.key_id + KEY.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n".encode()


def a_checkpoint(size: int = 7) -> str:
    root = base64.b64encode(reference_root(leaves_of(size))).decode()
    return f"{NAME}\n{size}\n{root}\n"


def test_the_tree_grows_to_the_reference_root() -> None:
    """Leaf by leaf, the root is the one the standard defines, for every size to 300."""
    leaves, tree = leaves_of(300), Tree()
    assert tree.root() == reference_root([])
    for size, leaf in enumerate(leaves, 1):
        tree.append(leaf)
        assert tree.root() == reference_root(leaves[:size])


def test_every_inclusion_proof_verifies_and_no_other_leaf_does() -> None:
    """A proof holds for its own leaf at its own place only."""
    for size in range(1, 40):
        leaves = leaves_of(size)
        root = reference_root(leaves)
        for index in range(size):
            proof = reference_path(index, leaves)
            verify.check_inclusion(leaves[index], index, size, proof, root)
            with pytest.raises(NotVerified, match="inclusion-bad"):
                verify.check_inclusion(b"another leaf", index, size, proof, root)
            if size > 1:
                with pytest.raises(NotVerified):
                    verify.check_inclusion(leaves[index], (index + 1) % size, size, proof, root)


def test_every_consistency_proof_verifies_and_a_rewritten_past_does_not() -> None:
    """The older tree is proven to be the beginning of the newer one, or it is not believed."""
    for new in range(1, 40):
        leaves = leaves_of(new)
        for old in range(1, new + 1):
            proof = reference_consistency(old, leaves)
            verify.check_consistency(at(old, leaves), at(new, leaves), proof)
            other = [b"rewritten", *leaves[1:]]
            with pytest.raises(NotVerified, match="consistency-bad"):
                verify.check_consistency(at(old, other), at(new, leaves), proof)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=60), st.data())
def test_any_changed_removed_or_swapped_leaf_is_seen(leaves: list[bytes], data: st.DataObject) -> None:
    """Nothing in the log can be changed, removed or reordered unseen (P6)."""
    now = at(len(leaves), leaves)
    verify.check_leaves(leaves, now, None)
    place = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:place], leaves[place] + b"!", *leaves[place + 1 :]]
    with pytest.raises(NotVerified, match="root-differs"):
        verify.check_leaves(changed, now, None)
    with pytest.raises(NotVerified, match="size-differs"):
        verify.check_leaves(leaves[:place] + leaves[place + 1 :], now, None)


def test_a_log_that_shrank_is_a_rolled_back_log() -> None:
    """An older backup put back is named as such."""
    leaves = leaves_of(9)
    with pytest.raises(NotVerified, match="rolled-back"):
        verify.check_leaves(leaves[:5], at(5, leaves), at(9, leaves))


def test_a_new_history_with_a_good_root_is_not_the_one_seen_before() -> None:
    """Somebody who rewrites everything, root included, is caught by the checkpoint we remember."""
    honest, forged = leaves_of(6), [b"forged", *leaves_of(9)[1:]]
    with pytest.raises(NotVerified, match="history-differs"):
        verify.check_leaves(forged, at(9, forged), at(6, honest))


def test_a_signed_checkpoint_opens() -> None:
    """The text is believed because the pinned key signed it."""
    opened = verify.open_checkpoint(signed(a_checkpoint()), SIGNER)
    assert opened == at(7, leaves_of(7))
    assert verify.read_key(str(SIGNER)) == SIGNER


def test_extension_lines_of_a_checkpoint_are_allowed() -> None:
    """C2SP lets a checkpoint say more after its root."""
    assert verify.open_checkpoint(signed(a_checkpoint() + "more\n"), SIGNER).size == 7


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (signed(a_checkpoint()).replace(b"\n7\n", b"\n8\n"), "signature-bad"),
        (signed(a_checkpoint(), name="somebody/else"), "note-unsigned"),
        (a_checkpoint().encode(), "note-malformed"),
        (signed(a_checkpoint())[:-1], "note-malformed"),
        (signed(a_checkpoint()) + b"x", "note-malformed"),
        (signed(f"{NAME}\n07\n{'A' * 43}=\n"), "checkpoint-malformed"),
        (signed(f"{NAME}\n7\nnot-base64\n"), "checkpoint-malformed"),
        (signed(f"{NAME}\n7\nAAAA\n"), "checkpoint-malformed"),
        (signed(a_checkpoint().replace(NAME, "another.log")), "origin-differs"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_refused(note: bytes, code: str) -> None:
    """Every way a note can be wrong has its name."""
    with pytest.raises(NotVerified) as refused:
        verify.open_checkpoint(note, SIGNER)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", str(SIGNER).replace("+", "+0", 1)])
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    """A key that is no key is not pinned."""
    with pytest.raises(NotVerified, match="key-malformed"):
        verify.read_key(text)
