"""Reaching the services: their addresses, a token for the role a command needs, and errors in plain words."""

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cli import show
from cli.local import authority, place
from cli.local.place import Addresses

DEADLINE_S = 10.0
# What only reads is asked again where a part is away for a moment: a busy machine answers then, and what is really away
# is told two seconds later.
READS = {
    "kindred.intake.v1.IntakeService": ("GetReferral", "ListReferrals"),
    "kindred.matching.v1.MatchingService": ("GetCase", "ListOffers"),
    "kindred.notifications.v1.NotificationsService": ("ListNotices",),
    "kindred.audit.v1.AuditService": ("SearchEntries", "GetCheckpoint"),
}
_AGAIN = {
    "name": [{"service": service, "method": method} for service, names in READS.items() for method in names],
    "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.5s",
        "maxBackoff": "2s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    },
}
_PASSING = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})


@dataclass(frozen=True)
class Who:
    """Whom the command speaks for, as far as its user said; empty means what the command suggests."""

    token: str = ""
    role: str = ""
    actor: str = ""
    organization: str = ""
    purpose: str = ""


@dataclass
class Reach:
    """One command's way to the services; opens a channel only to whom it calls."""

    who: Who = field(default_factory=Who)
    deadline_s: float = DEADLINE_S
    # Whether whoever signed in on this command line speaks (`kindred sign-in`); the demo plays everybody by itself.
    is_personal: bool = False
    _channels: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def known(self) -> Addresses | None:
        """The addresses `kindred up` left here, or None."""
        return place.read_state(place.here())

    def grpc_address(self, service: str) -> str:
        """KINDRED_<SERVICE>_GRPC, else the doors of every replica that `up` wrote."""
        given = os.environ.get(f"KINDRED_{service.upper()}_GRPC", "")
        return given or self._known().grpc_of_all(service)

    def http_address(self, service: str) -> str:
        """KINDRED_<SERVICE>_HTTP, else what `up` wrote."""
        given = os.environ.get(f"KINDRED_{service.upper()}_HTTP", "")
        return given or self._known().http[service]

    def mllp_address(self) -> str:
        """KINDRED_INTAKE_MLLP, else what `up` wrote; fails where no listener for HL7 v2 runs."""
        given = os.environ.get("KINDRED_INTAKE_MLLP", "") or self._known().mllp
        if not given:
            raise show.fail(
                "No HL7 v2 listener runs here, so HL7 messages cannot be sent.",
                "Start one (`python -m services.intake mllp`) and name it: KINDRED_INTAKE_MLLP=host:port ...",
            )
        return given

    def token(self, role: str, actor: str, organization: str = "", minutes: float = 60) -> str:
        """The token given by --token or KINDRED_TOKEN, of who signed in here, or minted with the local issuer's key.

        What is minted is for development: a system in production refuses it.
        """
        given = self.who.token or os.environ.get("KINDRED_TOKEN", "") or self._personal()
        if given:
            return given
        from chassis import identity

        return identity.mint(
            self._issuer().read_bytes(),
            actor_id=self.who.actor or actor,
            role=self.who.role or role,
            organization_id=self.who.organization or organization,
            minutes=minutes,
        )

    def handed_out(self, role: str, actor: str, organization: str = "", minutes: float = 60) -> str:
        """A token for somebody to use: that it was issued is in the audit log first, where one runs here."""
        token = self.token(role, actor, organization, minutes)
        if os.environ.get("KINDRED_AUDIT_HTTP") or self.known:
            _note_issue(self.http_address("audit"), token)
        return token

    def metadata(self, role: str, actor: str, organization: str = "", purpose: str = "") -> Any:
        """gRPC metadata for a call in this role."""
        entries = [("authorization", f"Bearer {self.token(role, actor, organization)}")]
        if named := self.who.purpose or purpose:
            entries.append(("x-purpose-of-use", named))
        return tuple(entries)

    def officer(self) -> Any:
        """gRPC metadata of a compliance officer on duty, whose organization every entry about it names."""
        return self.metadata("compliance", "cli-compliance", "kindred", purpose="HCOMPL")

    def channel(self, service: str) -> Any:
        """A gRPC channel to the service's api, opened once."""
        if service not in self._channels:
            self._channels[service] = _opened(self.grpc_address(service), self._certificates())
        return self._channels[service]

    def intake(self) -> Any:
        from kindred.intake.v1.intake_pb2_grpc import IntakeServiceStub

        return IntakeServiceStub(self.channel("intake"))

    def matching(self) -> Any:
        from kindred.matching.v1.matching_pb2_grpc import MatchingServiceStub

        return MatchingServiceStub(self.channel("matching"))

    def coordination(self) -> Any:
        from kindred.matching.v1.coordination_pb2_grpc import CoordinationServiceStub

        return CoordinationServiceStub(self.channel("matching"))

    def roster(self) -> Any:
        from kindred.matching.v1.roster_pb2_grpc import RosterServiceStub

        return RosterServiceStub(self.channel("matching"))

    def notifications(self) -> Any:
        from kindred.notifications.v1.notifications_pb2_grpc import NotificationsServiceStub

        return NotificationsServiceStub(self.channel("notifications"))

    def audit(self) -> Any:
        from kindred.audit.v1.audit_pb2_grpc import AuditServiceStub

        return AuditServiceStub(self.channel("audit"))

    def custody(self) -> Any:
        from kindred.audit.v1.custody_pb2_grpc import CustodyServiceStub

        return CustodyServiceStub(self.channel("audit"))

    def operations(self, service: str) -> Any:
        from kindred.operations.v1.operations_pb2_grpc import OperationsServiceStub

        return OperationsServiceStub(self.channel(service))

    def close(self) -> None:
        """Closes every channel that was opened."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def _known(self) -> Addresses:
        if self.known is None:
            raise show.fail(
                "No system runs here.",
                "Start one with `kindred up`, or name it: KINDRED_INTAKE_GRPC=host:port ...",
            )
        return self.known

    def _certificates(self) -> tuple[Path, Path] | None:
        """Who we are and whom we trust (KINDRED_GRPC_TLS_CERT and _CA, else those of `up`); None for plain gRPC.

        Somebody else's system, named by its address, is spoken to in clear unless certificates are named too.
        """
        own, trusted = (os.environ.get(f"KINDRED_GRPC_TLS_{name}", "") for name in ("CERT", "CA"))
        if own:
            return Path(own), Path(trusted)
        if self.known is None:
            return None
        folder = Path(self.known.keys_dir)
        found = folder / authority.file_of(authority.CALLER), folder / authority.AUTHORITY
        return found if all(one.exists() for one in found) else None

    def _personal(self) -> str:
        """Of who is signed in here, unless the command was told to speak for somebody else."""
        is_told = self.who.role or self.who.actor or self.who.organization
        if not self.is_personal or is_told:
            return ""
        from cli import personal

        return personal.token(self.known)

    def _issuer(self) -> Path:
        folder = os.environ.get("KINDRED_KEYS_DIR") or (self.known.keys_dir if self.known else "")
        pem = Path(folder or place.here().keys) / "issuer.pem"
        if not pem.exists():
            raise show.fail(
                "Nobody is signed in here.", "`kindred sign-in`, or give --token or KINDRED_TOKEN."
            )
        return pem


def _note_issue(address: str, token: str) -> None:
    request = urllib.request.Request(f"http://{address}/audit/tokens", data=b"{}", method="POST")
    request.add_header("authorization", f"Bearer {token}")
    try:
        urllib.request.urlopen(request, timeout=DEADLINE_S).close()  # noqa: S310
    except OSError:
        show.errors.print("[yellow]Note:[/] the audit log does not answer: it has no entry of this token.")


def _opened(address: str, certificates: tuple[Path, Path] | None) -> Any:
    import grpc

    options = [("grpc.service_config", json.dumps({"methodConfig": [_AGAIN]}))]
    if certificates is None:
        return grpc.insecure_channel(address, options=options)
    try:
        own, trusted = (one.read_bytes() for one in certificates)
    except OSError:
        raise show.fail("The certificates of KINDRED_GRPC_TLS_CERT and _CA cannot be read.") from None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted, own, own), options=options)


class Away(Exception):  # noqa: N818
    """The service does not answer now, or ended what it was answering; the call may be made again."""


@contextmanager
def plain_errors(of: str = "", *, may_be_away: bool = False) -> Iterator[None]:
    """Turns a failed call into one line with its code, and one line for each faulty field; exit code 1.

    `of` names the service, where a command asks several.  With `may_be_away` a service that is away, or a stream that
    came to its age, raises Away instead.
    """
    import grpc

    try:
        yield
    except grpc.RpcError as failed:
        if may_be_away and failed.code().name in _PASSING:
            raise Away from None
        code, text, faults = explained(failed)
        raise show.fail(f"{of + ': ' if of else ''}{code}: {text}", *faults) from None


def explained(failed: Any) -> tuple[str, str, list[str]]:
    """The stable code, the sentence, and the faults ("path: sentence") of a failed call."""
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    code, faults = failed.code().name, []
    status = rpc_status.from_call(failed)
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            code = info.reason
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            request = error_details_pb2.BadRequest()
            detail.Unpack(request)
            faults += [f"{fault.field}: {fault.description}" for fault in request.field_violations]
    return code, failed.details() or "the service said nothing more", faults
