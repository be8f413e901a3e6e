"""Exports: a zip with entries, proofs, cosigned checkpoints, the policy, and the program that verifies them offline."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from chassis.errors import Kind, Refusal
from services.audit import offline
from services.audit.domain.entry import Head, LogBroken
from services.audit.domain.leaf import parse_leaf, timestamp
from services.audit.domain.period import ROOT, LogPlace, holding
from services.audit.sealing.body_sealing import BodyUnreadable
from services.audit.store.entries import Store
from services.audit.store.periods import Periods
from services.audit.tlog.folds import FoldedTree
from services.audit.tlog.proof_files import ProofFile

if TYPE_CHECKING:
    from services.audit.bootstrap import Room as WholeRoom
    from services.audit.reading_room import ReadingRoom

    Room = WholeRoom | ReadingRoom

Document = dict[str, Any]
FORMAT = "kindred-audit-export/1"
MOST_ENTRIES = 200_000
_AT_ONCE = 512
_README = """This file proves what it shows. Unpack it, or leave it as it is, and run

    python verify.py THIS_FILE.zip

with Python 3.9 or newer and `pip install cryptography`. No network is needed.
The keys that are believed are in `policy`; compare it with a copy you got another way, or pass that one: --policy FILE.
verify.py is also at the source of Kindred, where others have read it; it is the same file in every export.
manifest.json says what was asked for, and names every other file here with its SHA-256: a changed one is not proven.

entries.ndjson has one line for each entry: its number, its log and index there, the leaf that was hashed, the proof,
and the body (FHIR R4 AuditEvent), or null where the person was erased. What it does not prove is in
docs/audit-for-compliance.md of Kindred's source.
"""


@dataclass(frozen=True)
class Believed:
    """One log with the checkpoint that outsiders believe, and the tree under it."""

    store: Store
    origin: str
    head: Head
    tree: FoldedTree


def believed(room: Room, place: LogPlace) -> Believed:
    """The log under its newest cosigned checkpoint; raises Refusal UNAVAILABLE while there is none."""
    store = Store(room.database, place, room.store.kept)
    origin = place.origin(room.settings.audit_origin)
    heads, cosigned = store.heads_now(), store.cosigned()
    head = cosigned[0] if cosigned else None
    if heads is not None and head is None and room.policy.is_met_by(()):
        head = heads.published
    if heads is None or head is None:
        message = "The witnesses have not cosigned this log yet."
        raise Refusal("not-cosigned-yet", Kind.UNAVAILABLE, message, retry_after_s=2)
    reach = max(heads.published.size, head.size)
    return Believed(store, origin, head, store.tree(head.size, reach))


def proof_of(log: Believed, number: int) -> bytes:
    """The C2SP tlog-proof of an entry."""
    index = number - log.store.place.first
    return ProofFile(index, log.tree.prove_inclusion(index), log.head.checkpoint).encode()


def write_export(
    room: Room, query: Document, asked: Mapping[str, str], known_sizes: Sequence[int], to: IO[bytes]
) -> int:
    """The zip of every entry whose row matches and that a cosigned checkpoint covers; returns how many.

    `asked` is what was asked for, by name: the file says it, because "nothing" answers only a question.
    Raises Refusal where there are more than MOST_ENTRIES.
    """
    if room.store.rows.count_documents(query, limit=MOST_ENTRIES + 1) > MOST_ENTRIES:
        message = f"An export has at most {MOST_ENTRIES} entries; ask for a shorter time."
        raise Refusal("too-many-entries", Kind.INVALID, message)
    exporting = _Exporting(room)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("entries.ndjson", "w") as lines:
            count, hashed = 0, hashlib.sha256()
            for line in exporting.lines(query):
                content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
                hashed.update(content)
                lines.write(content)
                count += 1
        manifest = exporting.manifest(asked, known_sizes) | {"count": count}
        program = offline.program().encode()
        files = exporting.files | {"policy": room.policy.text().encode(), "README.txt": _README.encode()}
        files |= {"verify.py": program, "__main__.py": program}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        manifest["files"] = {"entries.ndjson": hashed.hexdigest(), **sums}
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return count


class _Exporting:
    """One export being written."""

    def __init__(self, room: Room) -> None:
        self._room = room
        periods = Periods(room.database)
        pruned = periods.pruned()
        self._places = [place for place in periods.places() if place.name not in pruned]
        self._logs = {self._places[-1]: believed(room, self._places[-1])}
        self.files: dict[str, bytes] = {}

    def lines(self, query: Document) -> Iterator[Document]:
        """Each entry, oldest number first."""
        found = self._room.store.rows.find(query).sort("index", 1)
        page: list[Document] = []
        for row in found:
            page.append(row)
            if len(page) == _AT_ONCE:
                yield from self._page(page)
                page = []
        yield from self._page(page)

    def manifest(self, asked: Mapping[str, str], known_sizes: Sequence[int]) -> Document:
        """Which logs, under which checkpoints, asked for how; for nothing found it is all there is."""
        newest = self._logs[self._places[-1]]
        sizes = [size for size in known_sizes if 0 < size <= newest.head.size]
        return {
            "format": FORMAT,
            "made_at": timestamp(self._room.clock.now()),
            "asked": list(asked),
            "asked_for": dict(asked),
            "logs": [self._log(number, log) for number, log in enumerate(self._logs.values())],
            "consistency": {
                newest.origin: {str(size): _texts(newest.tree.prove_consistency(size)) for size in sizes}
            },
        }

    def _page(self, rows: Sequence[Document]) -> Iterator[Document]:
        entries = self._room.store.entries_at([row["index"] for row in rows])
        keys = self._room.keyring.keys_by_id(entry["key_id"] for entry in entries.values())
        self._prepare(rows)
        for row in rows:
            log = self._log_of(row["index"])
            index = row["index"] - log.store.place.first
            if index >= log.head.size:
                continue
            entry = entries.get(row["index"])
            if entry is None:
                raise LogBroken("entries-missing", str(row["index"]))
            line = {"number": row["index"], "log": log.origin, "index": index, "leaf": _text(entry["leaf"])}
            yield line | {"proof": _texts(log.tree.prove_inclusion(index))} | self._body(row, entry, keys)

    def _prepare(self, rows: Sequence[Document]) -> None:
        """The tiles of a page's proofs come in one question for each log."""
        inside: dict[LogPlace, list[int]] = {}
        for row in rows:
            store = self._log_of(row["index"]).store
            inside.setdefault(store.place, []).append(row["index"] - store.place.first)
        for place, indexes in inside.items():
            tree = self._logs[place].tree
            tree.prepare([index for index in indexes if index < tree.size])

    def _body(self, row: Document, entry: Document, keys: dict[bytes, Any]) -> Document:
        key = keys.get(entry["key_id"])
        if key is None:
            under = self._room.erasures.erased_under([entry["key_id"]]).get(entry["key_id"], "")
            return {"body": None, "erased_under": under}
        try:
            leaf = parse_leaf(entry["leaf"])
            body, blinding = self._room.sealer.open_for_proof(leaf, row["_id"], entry["body"], key)
        except BodyUnreadable as wrong:
            raise LogBroken("body-unreadable", str(row["index"])) from wrong
        return {"body": body.decode(), "blinding": _text(blinding)}

    def _log_of(self, number: int) -> Believed:
        place = holding(self._places, number)
        if place not in self._logs:
            self._logs[place] = believed(self._room, place)
        return self._logs[place]

    def _log(self, number: int, log: Believed) -> Document:
        name = f"logs/{number}/checkpoint"
        self.files[name] = log.head.checkpoint
        return {"origin": log.origin, "checkpoint": name, "root": self._in_root(log)}

    def _in_root(self, log: Believed) -> Document | None:
        """Where the root log says this log's root, at this size or an older one; None before it does."""
        try:
            root = believed(self._room, ROOT)
        except Refusal:
            return None
        size = 0
        leaf = index = None
        for row in root.store.rows.find({"_id": {"$regex": "^(seen|closed) "}}).sort("index", -1):
            _, origin, text = row["_id"].split(" ")
            if origin == log.origin and int(text) <= log.head.size and row["index"] < root.head.size:
                index, size = row["index"], int(text)
                leaf = next(root.store.leaves(index, index + 1))
                break
        if leaf is None or index is None or not size:
            return None
        self.files["logs/root/checkpoint"] = root.head.checkpoint
        between = log.tree.prove_consistency(size) if size < log.head.size else []
        return {
            "checkpoint": "logs/root/checkpoint",
            "leaf": _text(leaf),
            "index": index,
            "proof": _texts(root.tree.prove_inclusion(index)),
            "consistency": _texts(between),
        }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [_text(each) for each in hashes]
