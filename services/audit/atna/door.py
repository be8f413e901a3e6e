"""The role `atna`: it listens, stores, and leaves the carrying to the api's relay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from chassis import lifecycle, logs, roles
from chassis.settings import SettingsFaults
from services.audit.atna.listening import Listener, tls_of
from services.audit.atna.receiving import receive
from services.audit.bootstrap import Room, build_room, prepare
from services.audit.reading_room import reading_room
from services.audit.settings import Settings

ROLE = "atna"
log = logs.get()


@dataclass(frozen=True, kw_only=True)
class AtnaSettings(Settings):
    """Audit's settings, of a process that lets in nobody without a certificate."""

    def __post_init__(self) -> None:
        """Raises SettingsFaults where a file of TLS is not named."""
        needed = ("audit_atna_tls_cert", "audit_atna_tls_client_ca")
        missing = [f"KINDRED_{name.upper()} is needed" for name in needed if not getattr(self, name)]
        if missing:
            raise SettingsFaults(missing)


def open_listener(room: Room) -> Listener:
    """Bound and not yet serving; raises OSError where the port is taken or a certificate cannot be read."""
    settings = room.settings
    context = tls_of(
        settings.audit_atna_tls_cert, settings.audit_atna_tls_key, settings.audit_atna_tls_client_ca
    )
    with lifecycle.listening(settings.audit_atna_address):
        listener = Listener(settings.audit_atna_address, context, partial(receive, reading_room(room)))
    log.info("listening", port=listener.port)
    return listener


def run(environ: Mapping[str, str]) -> int:
    """Until it is told to stop."""
    return roles.run_listener(
        AtnaSettings,
        environ,
        service="audit",
        role=ROLE,
        build_room=build_room,
        prepare=prepare,
        open_listener=open_listener,
    )
