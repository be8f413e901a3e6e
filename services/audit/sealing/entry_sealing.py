"""From facts to a sealed entry: body, leaf and index row; and the row again from leaf and body, for a check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from services.audit.domain.entry import SealedEntry
from services.audit.domain.facts import Facts
from services.audit.domain.leaf import Leaf, blinded_name, is_name
from services.audit.fhir import ReadBody, audit_event
from services.audit.sealing.body_sealing import SealedBody, open_body, open_with_blinding, seal_body
from services.audit.sealing.keyring import DataKey, Keyring

_REFERRALS_KNOWN = 20_000


class EntrySealer:
    """Seals entries under the keys of their subjects."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._blind_referral = lru_cache(_REFERRALS_KNOWN)(lambda name: keyring.blind("referral", name)[:16])

    def seal(self, heard: Sequence[Facts]) -> list[SealedEntry]:
        """One sealed entry for each event's facts, in their order. An event about nobody has its quarter's key."""
        keys = self._keyring.keys_for((facts.subject_id, facts.period) for facts in heard)
        return [self._seal(facts, keys[facts.subject_id, facts.period]) for facts in heard]

    def open(self, leaf: Leaf, event_id: str, sealed: bytes, key: DataKey) -> bytes:
        """The body of an entry; raises BodyUnreadable where it is not what the leaf commits to."""
        return open_body(key.key, event_id, sealed, leaf.hiding_commitment, leaf.key_commitment)

    def open_for_proof(self, leaf: Leaf, event_id: str, sealed: bytes, key: DataKey) -> tuple[bytes, bytes]:
        """The body and what proves to a stranger that the leaf commits to it; raises BodyUnreadable."""
        return open_with_blinding(key.key, event_id, sealed, leaf.hiding_commitment, leaf.key_commitment)

    def shown_name(self, purpose: str, name: str) -> str:
        """The name as a leaf shows it: itself, or blinded where it is long or odd."""
        return name if is_name(name) else blinded_name(self._keyring.blind(purpose, name))

    def blind_referral(self, referral_id: str) -> bytes:
        """16 bytes that stand for a referral in the index."""
        return self._blind_referral(referral_id)

    def row_of(self, body: ReadBody, leaf: Leaf, producer: str, key: DataKey) -> dict[str, Any]:
        """The index row that belongs to an opened entry, without its event id and index."""
        return self._row(
            recorded_at=leaf.recorded_at,
            event_type=body.event_type,
            producer=producer,
            producer_seq=leaf.producer_seq,
            actor_id=body.actor_id,
            blind_subject=key.blind_subject if body.peer_id else b"",
            referral_id=body.referral_id,
            outcome=body.outcome,
            flags=body.flags,
            content_digest=body.content_digest,
        )

    def _seal(self, facts: Facts, key: DataKey) -> SealedEntry:
        sealed = seal_body(key.key, facts.event_id, audit_event(facts))
        row = self._row(
            recorded_at=facts.recorded_at,
            event_type=facts.event_type,
            producer=facts.producer,
            producer_seq=facts.producer_seq,
            actor_id=facts.actor_id,
            blind_subject=key.blind_subject if facts.subject_id else b"",
            referral_id=facts.referral_id,
            outcome=facts.outcome,
            flags=facts.flags,
            content_digest=facts.content_digest,
        )
        leaf = self._leaf(facts, sealed).encode()
        return SealedEntry(facts.event_id, leaf, sealed.ciphertext, key.key_id, row)

    def _leaf(self, facts: Facts, sealed: SealedBody) -> Leaf:
        return Leaf(
            self.shown_name("event-id", facts.event_id),
            self.shown_name("producer", facts.producer),
            facts.producer_seq,
            facts.recorded_at,
            facts.class_code,
            sealed.digest,
            sealed.hiding_commitment,
            sealed.key_commitment,
        )

    def _row(
        self,
        *,
        recorded_at: datetime,
        event_type: str,
        producer: str,
        producer_seq: int,
        actor_id: str,
        blind_subject: bytes,
        referral_id: str,
        outcome: str,
        flags: Sequence[str],
        content_digest: bytes,
    ) -> dict[str, Any]:
        """What a search may see. Subject and referral are blind; absent facts have no field."""
        row: dict[str, Any] = {
            "recorded_at": recorded_at,
            "event_type": event_type,
            "producer": producer,
            "producer_seq": producer_seq,
            "actor_id": actor_id,
            "outcome": outcome,
            "fingerprint": self._keyring.blind("content", content_digest.hex())[:16],
        }
        if blind_subject:
            row["subject"] = blind_subject
        if referral_id:
            row["referral"] = self.blind_referral(referral_id)
        if flags:
            row["flags"] = list(flags)
        return row
