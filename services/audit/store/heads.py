"""The head of one log and the batches staged behind it: what commits, what closes, what was cosigned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.audit.domain.entry import Batch, Head, Heads, LogBroken, SealedEntry
from services.audit.domain.period import FIRST, ROOT, LogClosed, LogPlace

Document = dict[str, Any]
# A staged batch is one document of at most 16 MB.
_MAX_STAGED_BYTES = 8_000_000


class HeadStore:
    """One log's head. The collections are shared by all logs; the root log, which has other entries, has its own."""

    def __init__(self, database: Database[Document], place: LogPlace = FIRST) -> None:
        self.place = place
        own = "root_" if place == ROOT else ""
        self.staged: Collection[Document] = database[f"{own}staged"]
        self.heads: Collection[Document] = database[f"{own}heads"]

    @property
    def head_id(self) -> str:
        """The id of the head's document."""
        return f"{self.place.prefix}head"

    # -- the head

    def heads_now(self) -> Heads | None:
        """Both heads, or None before the log's first moment."""
        document = self.heads.find_one({"_id": self.head_id})
        return Heads(_head(document), _head(document.get("published"))) if document else None

    def begin(self, head: Head, quarter: str = "") -> None:
        """There is a head: this one, or the one another worker began with."""
        body = _head_fields(head)
        try:
            self.heads.insert_one({"_id": self.head_id, **body, "published": body, "quarter": quarter})
        except DuplicateKeyError:
            return

    def quarter(self) -> str:
        """The quarter in which the log began; "" where it has not begun, or began before that was written."""
        document = self.heads.find_one({"_id": self.head_id}, {"quarter": 1})
        return str((document or {}).get("quarter", ""))

    def set_quarter(self, quarter: str) -> None:
        """A log whose beginning was not written down is of this quarter."""
        self.heads.update_one(
            {"_id": self.head_id, "quarter": {"$in": [None, ""]}}, {"$set": {"quarter": quarter}}
        )

    def swap_head(self, old: Head, new: Head) -> bool:
        """THE commit point: `new` is the head if `old` still was; False where another worker was quicker."""
        seen = {"_id": self.head_id, "size": old.size, "root": old.root}
        return self.heads.update_one(seen, {"$set": _head_fields(new)}).matched_count == 1

    def mark_published(self, head: Head) -> None:
        """Everything up to this head can be read; never moves back."""
        seen = {"_id": self.head_id, "published.size": {"$lt": head.size}}
        self.heads.update_one(seen, {"$set": {"published": _head_fields(head)}})

    # -- what witnesses said

    def cosigned(self) -> tuple[Head, datetime] | None:
        """The newest head that carries the cosignatures the policy asks for, and since when."""
        document = self.heads.find_one({"_id": self.head_id}, {"cosigned": 1, "cosigned_at": 1})
        if not document or "cosigned" not in document:
            return None
        return _head(document["cosigned"]), document["cosigned_at"]

    def mark_cosigned(self, head: Head, at: datetime) -> None:
        """This head's note carries the cosignatures the policy asks for; never moves back."""
        seen = {"_id": self.head_id, "$or": [{"cosigned": None}, {"cosigned.size": {"$lte": head.size}}]}
        self.heads.update_one(seen, {"$set": {"cosigned": _head_fields(head), "cosigned_at": at}})

    # -- staged batches

    def stage(self, batch: Batch) -> bool:
        """The content from this index on is fixed for ever; False where it already was."""
        return self._stage(
            {
                "_id": self._staged_id(batch.start),
                "event_ids": [entry.event_id for entry in batch.entries],
                "leaves": [entry.leaf for entry in batch.entries],
                "bodies": [entry.body for entry in batch.entries],
                "key_ids": [entry.key_id for entry in batch.entries],
                "rows": [entry.row for entry in batch.entries],
            }
        )

    def stage_end(self, size: int) -> bool:
        """Nothing can ever be staged at this size: the log ends here; False where something was staged there."""
        return self._stage({"_id": self._staged_id(size), "is_end": True})

    def staged_at(self, start: int) -> Batch | None:
        """The batch that was fixed from this index on, while it is not published; raises LogClosed at the log's end."""
        document = self.staged.find_one({"_id": self._staged_id(start)})
        if document is None:
            return None
        if document.get("is_end"):
            raise LogClosed
        parts = (document[name] for name in ("event_ids", "leaves", "bodies", "key_ids", "rows"))
        return Batch(start, tuple(SealedEntry(*fields) for fields in zip(*parts, strict=True)))

    def forget_staged(self, published_size: int) -> None:
        """Batches that are published are not needed again."""
        before: Document = {"$lt": self._staged_id(published_size)}
        if self.place.name:
            before["$gte"] = self.place.prefix
        self.staged.delete_many({"_id": before})

    def _stage(self, document: Document) -> bool:
        try:
            self.staged.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def _staged_id(self, start: int) -> Any:
        return f"{self.place.prefix}{start:019d}" if self.place.name else start


def _head(document: Any) -> Head:
    try:
        size, root, checkpoint = (document[name] for name in ("size", "root", "checkpoint"))
    except (KeyError, TypeError) as wrong:
        raise LogBroken("head-malformed") from wrong
    if not (isinstance(size, int) and isinstance(root, bytes) and isinstance(checkpoint, bytes)):
        raise LogBroken("head-malformed")
    return Head(size, root, checkpoint)


def _head_fields(head: Head) -> Document:
    return {"size": head.size, "root": head.root, "checkpoint": head.checkpoint}


def parts(entries: Sequence[SealedEntry]) -> list[list[SealedEntry]]:
    """The entries in pieces that fit into one staged document each."""
    parts: list[list[SealedEntry]] = [[]]
    size = 0
    for entry in entries:
        size += len(entry.body) + 1_000
        if size > _MAX_STAGED_BYTES and parts[-1]:
            parts.append([])
            size = len(entry.body)
        parts[-1].append(entry)
    return parts
