"""One run over many files: bounded, in parallel where order does not matter, and noted as it goes."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cli.importing.csv_rows import Reading
from cli.importing.journal import Journal
from cli.importing.pieces import End, Form, Outcome, Piece, PieceFault, Unavailable
from cli.importing.reading import Unreadable, pieces_of
from cli.importing.sending import Doors

_WAITING_PER_SENDER = 4


@dataclass
class Run:
    """Sends every piece of the files once; `is_stopped` says why the rest was left.

    `journal` is of the organization that asks, `messages` of HL7: whose a message is, its sender decides (MSH-4).
    """

    doors: Doors
    journal: Journal
    messages: Journal
    reading: Reading = field(default_factory=Reading)
    senders: int = 8
    is_stopped: str = ""
    _giving_up: threading.Event = field(default_factory=threading.Event)
    _is_listener_asked: bool = False
    _newest: str = ""
    _is_whole: bool | None = None
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def over(self, files: list[Path]) -> Iterator[Outcome]:
        """The outcome of each piece in the order of the files; what cannot be read is told as one refused piece."""
        self._newest = self.journal.newest_referral()
        with ThreadPoolExecutor(self.senders, thread_name_prefix="send") as pool:
            for file in files:
                try:
                    yield from self._of_file(pool, file)
                except Unreadable as bad:
                    yield Outcome(Piece(file, Form.CSV, 1), End.REFUSED, faults=[bad.fault])
                except OSError as trouble:  # gone, or another user's
                    fault = PieceFault("file-unreadable", f"It cannot be read: {trouble.strerror}.")
                    yield Outcome(Piece(file, Form.CSV, 1), End.REFUSED, faults=[fault])

    def _of_file(self, pool: ThreadPoolExecutor, file: Path) -> Iterator[Outcome]:
        """HL7 messages go one by one: a cancellation must not overtake its order."""
        waiting: deque[Future[Outcome]] = deque()
        for piece in pieces_of(file, self.reading):
            most = 1 if piece.form is Form.HL7 else self.senders * _WAITING_PER_SENDER
            waiting.append(pool.submit(self._sent, piece))
            while len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _sent(self, piece: Piece) -> Outcome:
        journal = self.messages if piece.form is Form.HL7 else self.journal
        known = None if piece.faults else journal.answer(piece.key)
        if self._giving_up.is_set() and known is None:
            return Outcome(piece, End.UNSENT)
        try:
            if known is not None and self._holds(piece, known[0]):
                return Outcome(piece, End.KNOWN, *known)
            outcome = self.doors.send(piece)
        except Unavailable as trouble:
            self.is_stopped = str(trouble)
            self._giving_up.set()
            return Outcome(piece, End.UNSENT)
        if outcome.end in {End.STORED, End.KNOWN}:
            journal.note(piece.key, outcome.referral_id, outcome.status)
        return outcome

    def _holds(self, piece: Piece, referral_id: str) -> bool:
        """True where what the journal says of this piece is still so."""
        return self._is_there(piece, referral_id) if piece.form is Form.HL7 else self._has_the_newest()

    def _has_the_newest(self) -> bool:
        """True where the system has the newest referral of the run before; else it was emptied or set back since.

        Asked once a run, and only where the journal is about to be believed: asking is a read, and stands in the
        audit log of a person whom this run may have nothing to do with.
        """
        with self._asking:
            if self._is_whole is None:
                self._is_whole = not self._newest or self.doors.knows(self._newest)
                if not self._is_whole:
                    self.journal.forget()
        return self._is_whole

    def _is_there(self, piece: Piece, referral_id: str) -> bool:
        """True where the listener still has what it took; asked once a run, in the name of the message's sender."""
        if self._is_listener_asked or not referral_id:
            return True
        is_known = self.doors.knows_by_message(piece, referral_id)
        self._is_listener_asked = True
        if not is_known:
            self.messages.forget()
        return is_known
