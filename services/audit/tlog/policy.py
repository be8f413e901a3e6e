"""C2SP tlog-policy: which logs are believed, which witnesses are known, and how many of them must have cosigned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from services.audit.tlog.checkpoints import Checkpoint, open_checkpoint
from services.audit.tlog.cosignatures import CosignatureVerifier, cosignatures_of
from services.audit.tlog.notes import NoteRefused, NoteVerifier

_NONE = "none"


class PolicyRefused(ValueError):  # noqa: N818
    """The policy file says something it may not, or the checkpoint is not what the policy asks for."""


@dataclass(frozen=True)
class KnownWitness:
    """A witness of the policy; `url` is its submission prefix, or ""."""

    verifier: CosignatureVerifier
    url: str = ""


@dataclass(frozen=True)
class Group:
    """At least `threshold` of the members must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """What a checkpoint must carry to be believed."""

    logs: tuple[NoteVerifier, ...] = ()
    witnesses: Mapping[str, KnownWitness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = _NONE

    def is_met_by(self, cosigned: Iterable[str]) -> bool:
        """Whether cosignatures of these witnesses (names of the policy) are enough."""
        there = set(cosigned)
        return self.quorum == _NONE or self._has_witnessed(self.quorum, there)

    def check(self, note: bytes, origin: str) -> tuple[Checkpoint, dict[str, int]]:
        """The checkpoint of the log `origin` and who cosigned it when; raises PolicyRefused, NoteRefused,
        CheckpointRefused.
        """
        checkpoint = open_checkpoint(note, origin, [log for log in self.logs if log.name == origin])
        times = self.cosigned_by(note)
        if not self.is_met_by(times):
            raise PolicyRefused(f"the cosignatures do not meet the quorum {self.quorum}")
        return checkpoint, times

    def cosigned_by(self, note: bytes) -> dict[str, int]:
        """The policy's names of those that cosigned the note, and when (POSIX seconds); raises NoteRefused."""
        found = cosignatures_of(note, [each.verifier for each in self.witnesses.values()])
        return {
            name: found[each.verifier.vkey()]
            for name, each in self.witnesses.items()
            if each.verifier.vkey() in found
        }

    def for_log(self, log: NoteVerifier) -> Policy:
        """The same witnesses and quorum for another log."""
        return Policy((log,), self.witnesses, self.groups, self.quorum)

    def text(self) -> str:
        """The policy as a file."""
        lines = [f"log {log.vkey()}" for log in self.logs]
        for name, each in self.witnesses.items():
            lines.append(f"witness {name} {each.verifier.vkey()} {each.url}".rstrip())
        for name, group in self.groups.items():
            lines.append(f"group {name} {group.threshold} {' '.join(group.members)}")
        return "".join(f"{line}\n" for line in [*lines, f"quorum {self.quorum}"])

    def _has_witnessed(self, name: str, there: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in there
        return sum(self._has_witnessed(member, there) for member in group.members) >= group.threshold


def parse_policy(text: str) -> Policy:
    """The policy a file says; raises PolicyRefused naming the line."""
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.take(words)
        except (NoteRefused, PolicyRefused, ValueError) as wrong:
            raise PolicyRefused(f"line {number}: {wrong}") from wrong
    if not reading.quorum:
        raise PolicyRefused("there is no quorum line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


class _Reading:
    """What the lines so far have said."""

    def __init__(self) -> None:
        self.logs: list[NoteVerifier] = []
        self.witnesses: dict[str, KnownWitness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum = ""
        self._keys: set[tuple[str, bytes]] = set()

    def take(self, words: list[str]) -> None:
        """One line."""
        lines: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if words[0] not in lines:
            raise PolicyRefused(f"{words[0]!r} is no kind of line")
        lines[words[0]](words[1:])

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise PolicyRefused("a log line has a key and perhaps a URL")
        log = NoteVerifier.from_vkey(words[0])
        self._once("log", log.public_key.public_bytes_raw())
        self.logs.append(log)

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise PolicyRefused("a witness line has a name, a key and perhaps a URL")
        self._name(words[0])
        verifier = CosignatureVerifier.from_vkey(words[1])
        self._once("witness", verifier.public_key.public_bytes_raw())
        self.witnesses[words[0]] = KnownWitness(verifier, words[2] if len(words) == 3 else "")

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise PolicyRefused("a group has a name, a threshold and members")
        name, asked, *members = words
        self._name(name)
        if len(set(members)) != len(members) or not all(self._is_known(each) for each in members):
            raise PolicyRefused("a group's members are known already, each once")
        if asked not in ("any", "all") and not (asked.isascii() and asked.isdigit()):
            raise PolicyRefused("a threshold is a number, any or all")
        threshold = {"any": 1, "all": len(members)}.get(asked) or int(asked)
        if not 1 <= threshold <= len(members):
            raise PolicyRefused("a threshold is between 1 and the number of members")
        self.groups[name] = Group(threshold, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1 or self.quorum:
            raise PolicyRefused("there is one quorum line with one name")
        if words[0] != _NONE and not self._is_known(words[0]):
            raise PolicyRefused("the quorum is a witness or group of an earlier line, or none")
        self.quorum = words[0]

    def _name(self, name: str) -> None:
        if name == _NONE or self._is_known(name):
            raise PolicyRefused(f"the name {name!r} is taken")

    def _is_known(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _once(self, kind: str, key: bytes) -> None:
        if (kind, key) in self._keys:
            raise PolicyRefused(f"two {kind} lines have one key")
        self._keys.add((kind, key))
