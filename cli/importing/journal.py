"""What was already answered, remembered on disk, so that an interrupted run goes on where it was."""

import hashlib
import sqlite3
import threading
from pathlib import Path


class Journal:
    """Pieces a system acknowledged: hashes of their content and the ids it answered; nothing that was in them.

    One file for all runs in a folder that only its owner reads.  `target` names the system and whose the referrals are:
    what one system took is not taken by another.  Each note is its own transaction, so that two runs may share the file;
    a power cut may lose the last notes, and their pieces are told "known" by the system when they are sent again.
    """

    def __init__(self, folder: Path, target: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._target = hashlib.sha256(target.encode()).hexdigest()[:16]
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "submitted.sqlite", timeout=30, check_same_thread=False)
        (folder / "submitted.sqlite").chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        with self._db:
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS answered (target TEXT, key TEXT, referral_id TEXT, status TEXT,"
                " PRIMARY KEY (target, key)) WITHOUT ROWID"
            )

    def answer(self, key: str) -> tuple[str, str] | None:
        """The referral and its state as they were told for the piece, or None."""
        query = "SELECT referral_id, status FROM answered WHERE target = ? AND key = ?"
        with self._lock:
            found = self._db.execute(query, (self._target, key)).fetchone()
        return (str(found[0]), str(found[1])) if found else None

    def newest_referral(self) -> str:
        """The newest that was answered (ids begin with their time); empty where there is none.

        A system that came back as it was some time ago still knows the older ones, and not this one.
        """
        query = "SELECT max(referral_id) FROM answered WHERE target = ? AND referral_id != ''"
        with self._lock:
            found = self._db.execute(query, (self._target,)).fetchone()
        return str(found[0] or "")

    def note(self, key: str, referral_id: str, status: str) -> None:
        """The piece was acknowledged."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO answered VALUES (?, ?, ?, ?)",
                (self._target, key, referral_id, status),
            )

    def forget(self) -> None:
        """Nothing was answered by this target."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM answered WHERE target = ?", (self._target,))

    def close(self) -> None:
        """The file is let go."""
        with self._lock:
            self._db.close()
