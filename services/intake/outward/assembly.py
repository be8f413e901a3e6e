"""The senders of one worker, built from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from chassis.hosts.blocking import in_real_thread
from chassis.settings import SettingsFaults
from services.intake.bootstrap import Room
from services.intake.outward import endpoints, engines
from services.intake.outward.engines import Engine
from services.intake.outward.reaching import Reach
from services.intake.outward.sending import Sending
from services.intake.outward.verdicts import Pace
from services.intake.settings import Settings


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Settings):
    """Intake's settings, of a process that tells interface engines."""

    def __post_init__(self) -> None:
        """Raises SettingsFaults where a receiver is malformed, or would be told in clear over a network."""
        try:
            receivers(self)
        except ValueError as error:
            raise SettingsFaults([str(error)]) from None


def receivers(settings: Settings) -> Mapping[str, Engine]:
    """The interface engines by source; raises ValueError."""
    return engines.read(settings.hl7_receivers, allow_plain=settings.mllp_allow_plain)


def sending(room: Room, known: Mapping[str, Engine]) -> Sending:
    """The senders, not started yet."""
    settings, base = room.settings, room.settings.fhir_public_url.rstrip("/")
    reach = Reach(
        room,
        known,
        room.clock,
        lookup=partial(in_real_thread, endpoints.system_lookup),
        base=f"{base}/" if base else "",
        timeout_s=settings.outward_timeout_s,
        may_be_private=settings.outward_allow_private,
        client_cert=settings.mllp_tls_cert,
        client_key=settings.mllp_tls_key,
    )
    pace = Pace(settings.outward_first_wait_s, settings.outward_most_failures, settings.outward_lease_s)
    return Sending(room, reach, pace, room.clock)
