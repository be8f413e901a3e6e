"""Door 3: HL7 v2 over MLLP; how messages come and go stands in hl7v2/listening.py, what they mean in hl7v2/."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from prometheus_client import Counter, Histogram

from chassis import answers, lifecycle, logs, metrics, roles, telemetry
from chassis.settings import SettingsFaults
from services.intake.bootstrap import NAME, Room, build_room, prepare
from services.intake.hl7v2 import certified, handling, senders
from services.intake.hl7v2.crowd import Limits
from services.intake.hl7v2.listening import Listener
from services.intake.settings import Settings

MESSAGES = Counter(
    "kindred_mllp_messages_total", "HL7 messages by how they ended: MSA-1, or unanswered.", ["end"]
)
SECONDS = Histogram(
    "kindred_mllp_message_seconds",
    "From a whole HL7 message to its answer.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ROLE = "mllp"
_ACKNOWLEDGED = re.compile(rb"\rMSA[^A-Za-z0-9]([AC][AER])")
_LOOPBACK = ("127.", "[::1]", "localhost")
log = logs.get()

Answer = Callable[[Room, bytes], bytes]


def open_listener(room: Room) -> Listener:
    """The listener as the settings want it, bound and not yet serving; raises OSError where the port is taken."""
    settings = room.settings
    limits = Limits(
        message_bytes=settings.mllp_message_bytes,
        waiting_bytes=settings.mllp_waiting_bytes,
        connections=settings.mllp_connections,
        per_address=settings.mllp_per_address,
        idle_s=settings.mllp_idle_s,
        message_s=settings.mllp_message_s,
    )
    with lifecycle.listening(settings.mllp_address):
        listener = Listener(
            settings.mllp_address,
            handle=partial(answered, room, handling.handle),
            refuse=partial(answered, room, handling.refuse_too_large),
            limits=limits,
            tls=tls_of(settings),
            threads=settings.mllp_threads,
            is_shared=settings.mllp_shared_port,
        )
    log.info("listening", port=listener.port)
    return listener


def answered(room: Room, answer: Answer, message: bytes) -> bytes | None:
    """The answer to one message; None, and nothing is acknowledged, where a part is away or it is our bug."""
    started, end = time.perf_counter(), "unanswered"
    with telemetry.continue_trace(""), telemetry.correlated(""), telemetry.span("mllp message"):
        try:
            told = answer(room, message)
            found = _ACKNOWLEDGED.search(told)
            end = found[1].decode() if found else "none"
        except Exception as error:
            refusal = answers.refusal_for(error)
            if refusal is None:
                answers.note_bug(error, ROLE, "mllp message")
            else:
                metrics.REFUSALS.labels(refusal.kind.value, refusal.code).inc()
                log.warning("trouble outside", method="mllp:message", exc_info=error)
            return None
        finally:
            MESSAGES.labels(end).inc()
            SECONDS.observe(time.perf_counter() - started)
    return told


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """TLS that lets in only who shows a certificate of our authority; None where no certificate of ours is named."""
    if not settings.mllp_tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.mllp_tls_cert, settings.mllp_tls_key or None)
    if settings.mllp_tls_client_ca:
        context.load_verify_locations(settings.mllp_tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass(frozen=True, kw_only=True)
class MllpSettings(Settings):
    """Intake's settings, of a process that may not listen to strangers in clear."""

    def __post_init__(self) -> None:
        """Raises SettingsFaults where the address can be reached from elsewhere and nobody has to say who they are."""
        try:
            known = senders.read(self.hl7_sources, self.hl7_time_zone)
            certificates = certified.read(self.hl7_certificates)
        except ValueError as error:
            raise SettingsFaults([str(error)]) from None
        sources = {one.source_id for one in known.by_name.values()}
        nameless = sorted(sources - certificates.keys())
        if self.mllp_tls_client_ca and nameless and (certificates or len(sources) > 1):
            fault = "KINDRED_HL7_CERTIFICATES names no client certificate of: " + ", ".join(nameless)
            raise SettingsFaults([fault])
        is_guarded = bool(self.mllp_tls_cert and self.mllp_tls_client_ca)
        if not (self.mllp_address.startswith(_LOOPBACK) or is_guarded or self.mllp_allow_plain):
            raise SettingsFaults(
                [
                    "KINDRED_MLLP_ADDRESS can be reached from elsewhere: set KINDRED_MLLP_TLS_CERT, _TLS_KEY and "
                    "_TLS_CLIENT_CA, or KINDRED_MLLP_ALLOW_PLAIN=1 where the network in between is yours"
                ]
            )


def run(environ: Mapping[str, str]) -> int:
    """The role `mllp`."""
    return roles.run_listener(
        MllpSettings,
        environ,
        service=NAME,
        role=ROLE,
        build_room=build_room,
        prepare=prepare,
        open_listener=open_listener,
    )
