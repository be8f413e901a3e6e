"""One thing that is wrong: a stable code, where it is, what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Must be mended, should be mended.
FAULT, WARNING = "fault", "warning"
EXIT_GOOD, EXIT_FAULTS, EXIT_WARNINGS = 0, 1, 3
# Every code with its severity and its remedy; what is not here cannot be found.
KNOWN = {
    "key-readable-by-others": (
        FAULT,
        "chmod 600 the file, 700 its folder; if others can log in here, renew it",
    ),
    "key-of-another-owner": (FAULT, "chown it to the user that runs Kindred"),
    "key-missing": (
        FAULT,
        "restore it from the backup of the keys; what is sealed with a lost master key is lost",
    ),
    "key-misplaced": (FAULT, "delete it there: that process must not hold it; then renew it"),
    "key-service-refuses": (
        FAULT,
        "mend its provider.json or the service: until then nobody new is sealed, and after a minute nobody is opened",
    ),
    "certificate-ended": (FAULT, "kindred certs renew"),
    "certificate-ends-soon": (WARNING, "kindred certs renew"),
    "certificate-not-ours": (FAULT, "kindred certs renew, or name the authority that signed it"),
    "authority-ends-soon": (WARNING, "kindred certs renew --authority, twice"),
    "authority-ended": (FAULT, "kindred certs renew --authority, twice, then restart every process"),
    "open-in-clear": (FAULT, "give the door a certificate, or bind it to 127.0.0.1"),
    "open-to-everybody": (FAULT, "bind it to 127.0.0.1 or to a network of your own; nobody else needs it"),
    "plain-allowed": (WARNING, "set a certificate or amqps:// and tls=true, and remove the setting"),
    "failpoints-on": (FAULT, "unset KINDRED_FAILPOINTS and restart: they are for tests and kill processes"),
    "logs-too-much": (WARNING, "set KINDRED_LOG_LEVEL=info"),
    "development-in-the-open": (FAULT, "set KINDRED_MODE=production"),
    "development-for-production": (
        FAULT,
        "set KINDRED_MODE=production for it, and restart it; instead of the development issuer name your provider",
    ),
    "process-not-ready": (FAULT, "kindred status and kindred logs NAME say what it waits for"),
    "clock-differs": (
        FAULT,
        "run an NTP client on both machines; offers, sessions and tokens end by the clock",
    ),
    "disk-nearly-full": (WARNING, "free space or enlarge the disk"),
    "disk-full": (FAULT, "free space now: the broker stops taking messages and mongod stops taking writes"),
    "database-unreachable": (FAULT, "start it, or mend the address"),
    "database-open": (FAULT, "start mongod with its key file: it answers whoever asks"),
    "user-missing": (FAULT, "kindred up, or python -m cli.local.database_users, makes it"),
    "user-unknown": (WARNING, "drop the user if nobody can say who it is"),
    "user-may-too-much": (FAULT, "kindred up, or python -m cli.local.database_users, takes it back"),
    "counts-missing": (FAULT, "kindred up makes the view; without it kindred audit fsck compares nothing"),
    "index-missing": (FAULT, "restart the service: it makes its indexes at start, and says why if it cannot"),
    "broker-unreachable": (FAULT, "start it, or mend the address"),
    "queue-missing": (FAULT, "apply deploy/rabbitmq/definitions.json; events wait in the outboxes meanwhile"),
    "queue-not-durable-quorum": (
        FAULT,
        "move its messages, delete it, apply deploy/rabbitmq/definitions.json",
    ),
    "binding-missing": (FAULT, "apply deploy/rabbitmq/definitions.json, then kindred replay all"),
    "policy-differs": (FAULT, "apply deploy/rabbitmq/definitions.json"),
    "signer-away": (FAULT, "start the signer; entries are still taken, and not yet proven"),
    "witness-away": (FAULT, "start the witness; nobody else vouches for the log meanwhile"),
    "witness-not-signing": (
        FAULT,
        "kindred audit health says which witness signed last, its own log says why",
    ),
    "log-set-back": (
        FAULT,
        "an incident: change nothing, keep what kindred audit fsck says, bring the log's newer database back",
    ),
}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong; `where` names a file, a process, a user or a queue, never what it holds."""

    code: str
    where: str
    says: str

    @property
    def severity(self) -> str:
        """FAULT or WARNING."""
        return KNOWN[self.code][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return KNOWN[self.code][1]


def exit_code(found: Iterable[Finding]) -> int:
    """0 where nothing is wrong, 3 where warnings only, 1 where something must be mended."""
    severities = {finding.severity for finding in found}
    if FAULT in severities:
        return EXIT_FAULTS
    return EXIT_WARNINGS if severities else EXIT_GOOD
