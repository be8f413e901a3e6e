"""Part 3 of the offline verifier: reading an export, comparing it with what was seen before, and the command."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.audit.offline.notes import Checkpoint, Policy, unbase64
from services.audit.offline.proofs import Fork, NotProven, check_consistency, leaf_hash, root_of_inclusion

LEAF = "kindred-audit-leaf/1"
ROOT_LEAF = "kindred-audit-root/1"


class Export:
    """One export file, read and verified."""

    def __init__(self, path: Path, policy_text: str | None = None) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        try:
            self.manifest: dict[str, Any] = json.loads(self.files["manifest.json"])
            self.policy = Policy(policy_text or self.files["policy"].decode())
            self.logs = {one["origin"]: self._log(one) for one in self.manifest["logs"]}
            self.entries: list[dict[str, Any]] = [
                json.loads(line) for line in self.files["entries.ndjson"].splitlines()
            ]
        except (KeyError, ValueError) as wrong:
            raise NotProven("this is no export of Kindred's audit log") from wrong
        self.leaves: dict[tuple[str, int], bytes] = {}
        for entry in self.entries:
            self._check(entry)
        if len(self.entries) != self.manifest["count"]:
            raise NotProven(f"the export says {self.manifest['count']} entries and holds {len(self.entries)}")
        self._check_files()

    def _check_files(self) -> None:
        """Every file is the one the manifest names, and there is no other; exports from before name none."""
        told: dict[str, str] | None = self.manifest.get("files")
        if told is None:
            return
        for name in sorted({*told, *self.files} - {"manifest.json"}):
            if (
                hashlib.sha256(self.files.get(name, b"")).hexdigest() != told.get(name)
                or name not in self.files
            ):
                raise NotProven(f"{name} is not the file that was exported")

    def _log(self, said: dict[str, Any]) -> Checkpoint:
        checkpoint = Checkpoint(self.files[said["checkpoint"]], self.policy)
        if checkpoint.origin != said["origin"]:
            raise NotProven("a checkpoint of another log than the export says")
        if said.get("root"):
            self._check_in_root(checkpoint, said["root"])
        return checkpoint

    def _check_in_root(self, checkpoint: Checkpoint, said: dict[str, Any]) -> None:
        """A leaf of the root log says this log's root at this size, or at an older one that this one goes on from."""
        root = Checkpoint(self.files[said["checkpoint"]], self.policy)
        leaf = unbase64(said["leaf"])
        proof = [unbase64(each) for each in said["proof"]]
        running = root_of_inclusion(said["index"], root.size, leaf_hash(leaf), proof)
        if running != root.root:
            raise NotProven("the root log does not hold what the export says it holds")
        version, _, origin, size, encoded, _, _ = leaf.decode().split("\n")
        if version != ROOT_LEAF or origin != checkpoint.origin:
            raise NotProven("the root log's leaf is of another log")
        old = (int(size), unbase64(encoded))
        check_consistency(old, (checkpoint.size, checkpoint.root), [unbase64(h) for h in said["consistency"]])

    def _check(self, entry: dict[str, Any]) -> None:
        number = entry["number"]
        checkpoint = self.logs[entry["log"]]
        leaf = unbase64(entry["leaf"])
        proof = [unbase64(each) for each in entry["proof"]]
        if root_of_inclusion(entry["index"], checkpoint.size, leaf_hash(leaf), proof) != checkpoint.root:
            raise NotProven(f"entry {number} is not in the log under its checkpoint")
        lines = leaf.decode("ascii").split("\n")
        if lines[0] != LEAF or len(lines) != 9:
            raise NotProven(f"entry {number} has a leaf of another kind")
        if entry.get("body") is not None:
            said = hmac.new(unbase64(entry["blinding"]), entry["body"].encode(), "sha256").digest()
            if not hmac.compare_digest(said, unbase64(lines[6])):
                raise NotProven(f"entry {number} says something else than was logged")
        self.leaves[entry["log"], entry["index"]] = leaf

    def remember(self, folder: Path) -> None:
        """Compares each log with what was seen before, then remembers it; raises Fork or NotProven."""
        folder.mkdir(parents=True, exist_ok=True)
        for origin, now in self.logs.items():
            kept = folder / (hashlib.sha256(origin.encode()).hexdigest()[:32] + ".checkpoint")
            if kept.exists():
                before = Checkpoint(kept.read_bytes(), self.policy)
                self.compare(before, now)
                if before.size > now.size:
                    continue
            kept.write_bytes(now.note)

    def compare(self, before: Checkpoint, now: Checkpoint) -> None:
        """Two checkpoints of one log; raises Fork where they cannot both be true, NotProven where that is open."""
        if before.size == now.size:
            if before.root != now.root:
                raise Fork(evidence("one log, one size, two roots", before.note, now.note))
            return
        if 0 in (before.size, now.size):
            return
        old, new = sorted([before, now], key=lambda each: each.size)
        proofs = self.manifest.get("consistency", {}).get(now.origin, {})
        if new is not now or str(old.size) not in proofs:
            raise NotProven(
                f"{now.origin} was seen at {before.size} before; "
                f"ask for an export with --known {before.size} to compare"
            )
        proof = [unbase64(each) for each in proofs[str(old.size)]]
        try:
            check_consistency((old.size, old.root), (new.size, new.root), proof)
        except NotProven as wrong:
            what = f"the log does not connect what it signed: {wrong}"
            raise Fork(evidence(what, old.note, new.note)) from None

    def compare_entries(self, other: Export) -> None:
        """Two exports: the same entry is the same leaf, and checkpoints of one size have one root; raises Fork."""
        for origin in self.logs.keys() & other.logs.keys():
            mine, theirs = self.logs[origin], other.logs[origin]
            if mine.size == theirs.size and mine.root != theirs.root:
                raise Fork(evidence("one log, one size, two roots", mine.note, theirs.note))
        for place in self.leaves.keys() & other.leaves.keys():
            if self.leaves[place] != other.leaves[place]:
                what = f"entry {place[1]} of {place[0]} is two entries, each proven under a signed checkpoint"
                notes = self.logs[place[0]].note, other.logs[place[0]].note
                raise Fork(evidence(what, *notes, self.leaves[place], other.leaves[place]))


def evidence(what: str, *parts: bytes) -> str:
    """The text that convicts: what it shows, and every signed part of it."""
    return "\n".join([what, *("-----\n" + part.decode(errors="replace") for part in parts), "-----"])


def report(export: Export) -> Iterator[str]:
    """What was proven, as lines."""
    numbers = sorted(entry["number"] for entry in export.entries)
    told = export.manifest.get("asked_for", {})
    asked = ", ".join(f"{name} {told[name]}" if name in told else name for name in export.manifest["asked"])
    yield f"{export.path}: made {export.manifest['made_at']}, asked for: {asked or 'everything'}"
    for origin, one in export.logs.items():
        when = ", ".join(f"{name} at {utc(at)}" for name, at in sorted(one.cosigned.items()))
        yield f"  log {origin}: {one.size} entries, root {one.root.hex()}"
        yield f"  cosigned by: {when or 'nobody (the policy asks for nobody)'}"
    erased = sum(entry.get("body") is None for entry in export.entries)
    gone = (
        f"; {erased} of them were erased: that they happened is proven, what they said is gone"
        if erased
        else ""
    )
    if "files" not in export.manifest:
        yield "  not proven by this file: what its README.txt says (its manifest names no files: it is an older one)"
    if not numbers:
        yield "  NOTHING WAS FOUND for what was asked: this file holds no entry"
    else:
        yield f"  proven: {len(numbers)} entries are in the log exactly as shown{gone}"
    if numbers and numbers[-1] - numbers[0] + 1 == len(numbers):
        yield f"  these are all entries from number {numbers[0]} to {numbers[-1]}"
    else:
        yield "  not proven by this file: that no other entry matched what was asked for"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def utc(seconds: int) -> str:
    """POSIX seconds as a date."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_looked_at(exports: list[Path], policy: Path | None) -> str:
    """Why nothing can be looked at, in words; "" where everything can."""
    for path in [*exports, *([policy] if policy else [])]:
        if not path.is_file():
            return f"there is no file {path}"
    for path in exports:
        if not zipfile.is_zipfile(path):
            return f"{path} is no export: it is not a zip file, or a part of one; nothing was looked at"
    return ""


def verified(paths: list[Path], policy: Path | None, seen: Path | None) -> list[Export]:
    """The exports, proven, and in one history with each other and with what was seen; raises NotProven, or Fork."""
    text = policy.read_text(encoding="utf-8") if policy else None
    exports = [Export(path, text) for path in paths]
    for position, export in enumerate(exports):
        for other in exports[:position]:
            other.compare_entries(export)
        if seen:
            export.remember(seen)
    return exports


def main(argv: list[str] | None = None) -> int:
    """Prints what is proven; the exit code is 0, 1 or 3 (see above), or 2 where nothing could be looked at."""
    arguments = argparse.ArgumentParser(description="Verifies an export of Kindred's audit log, offline.")
    arguments.add_argument("exports", nargs="*", type=Path)
    arguments.add_argument("--policy", type=Path, help="the keys to believe, obtained another way")
    arguments.add_argument("--remember", type=Path, help="a folder with what was seen before")
    asked = arguments.parse_args(argv)
    if not asked.exports and zipfile.is_zipfile(sys.path[0]):
        asked.exports = [Path(sys.path[0])]  # run as `python EXPORT.zip`, the export verifies itself
    if not asked.exports:
        arguments.error("which export?")
    for path in [*asked.exports, *([asked.policy] if asked.policy else [])]:
        if not path.is_file():
            arguments.error(f"there is no file {path}")
    for path in asked.exports:
        if not zipfile.is_zipfile(path):
            arguments.error(
                f"{path} is no export: it is not a zip file, or a part of one; nothing was looked at"
            )
    try:
        exports = verified(asked.exports, asked.policy, asked.remember)
    except Fork as fork:
        _say(f"TWO HISTORIES: {fork}")
        return 3
    except (NotProven, OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as wrong:
        _say(f"NOT PROVEN: {wrong}")
        return 1
    for export in exports:
        _say("\n".join(report(export)))
    if not asked.policy:
        _say("The keys came in the export itself: compare its file `policy` with one you got another way.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
