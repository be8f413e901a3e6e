"""What intake reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, setting
from services.intake.domain.consent import RECIPIENTS


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """`consent_recipients` are the identifiers and names by which a consent may name us as recipient.

    `consent_elements` are the elements of 42 CFR 2.31(a) that must come along with every consent, by the names of
    domain/consent.py ("purpose,recipient"); those that the paper holds need not be sent.
    """

    consent_recipients: tuple[str, ...] = setting("KINDRED_CONSENT_RECIPIENTS", RECIPIENTS)
    consent_elements: tuple[str, ...] = setting("KINDRED_CONSENT_ELEMENTS", ())
    # The ER desk: a session ends after so long without anybody typing, and after so long whatever happens.
    desk_idle_minutes: float = setting("KINDRED_DESK_IDLE_MINUTES", 15.0)
    desk_longest_hours: float = setting("KINDRED_DESK_LONGEST_HOURS", 12.0)
    desk_draft_hours: float = setting("KINDRED_DESK_DRAFT_HOURS", 24.0)
    # A JSON file: organization -> name, zip, time_zone, units; who is not in it is asked for the ZIP in the form.
    desk_hospitals: str = setting("KINDRED_DESK_HOSPITALS", "")
    desk_time_zone: str = setting("KINDRED_DESK_TIME_ZONE", "America/New_York")
    # HL7 v2 over MLLP (role `mllp`); TLS asks every sender for a certificate of this authority.
    mllp_address: str = setting("KINDRED_MLLP_ADDRESS", "127.0.0.1:2575")
    mllp_tls_cert: str = setting("KINDRED_MLLP_TLS_CERT", "")
    mllp_tls_key: str = setting("KINDRED_MLLP_TLS_KEY", "")
    mllp_tls_client_ca: str = setting("KINDRED_MLLP_TLS_CLIENT_CA", "")
    # Senders and receivers off this machine without TLS: only where the network in between is yours.
    mllp_allow_plain: bool = setting("KINDRED_MLLP_ALLOW_PLAIN", False)
    mllp_message_bytes: int = setting("KINDRED_MLLP_MESSAGE_BYTES", 1_000_000)
    mllp_waiting_bytes: int = setting("KINDRED_MLLP_WAITING_BYTES", 64_000_000)
    mllp_connections: int = setting("KINDRED_MLLP_CONNECTIONS", 256)
    mllp_per_address: int = setting("KINDRED_MLLP_PER_ADDRESS", 64)
    mllp_idle_s: float = setting("KINDRED_MLLP_IDLE_S", 600.0)
    mllp_message_s: float = setting("KINDRED_MLLP_MESSAGE_S", 30.0)
    mllp_threads: int = setting("KINDRED_MLLP_THREADS", 32)
    # Several processes of the role share the address, each with these limits; the kernel spreads connections over them.
    mllp_shared_port: bool = setting("KINDRED_MLLP_SHARED_PORT", False)
    # Who may send HL7 v2: FACILITY=source or APPLICATION^FACILITY=source (MSH-4, MSH-3), *=source for everybody; a zone
    # of its own behind an @. Times without an offset are of the sender's zone, else of this one.
    hl7_sources: tuple[str, ...] = setting("KINDRED_HL7_SOURCES", ())
    hl7_time_zone: str = setting("KINDRED_HL7_TIME_ZONE", "UTC")
    # Whose client certificate speaks for which source: source=name in the certificate (DNS, URI or common name).
    hl7_certificates: tuple[str, ...] = setting("KINDRED_HL7_CERTIFICATES", ())
    # MSH-11 of messages that are acted on: a test message must send nobody to a bedside.
    hl7_processing_ids: tuple[str, ...] = setting("KINDRED_HL7_PROCESSING_IDS", ("P",))
    # Answers in original mode whatever MSH-15 and MSH-16 ask for, for engines that fill them in and wait all the same.
    hl7_always_acknowledge: bool = setting("KINDRED_HL7_ALWAYS_ACKNOWLEDGE", False)

    # Who is told over MLLP when a referral moves: source=host:port, or with TLS and names of their own
    # source=mllps://host:port?application=...&facility=...&version=2.3&charset=8859/1
    hl7_receivers: tuple[str, ...] = setting("KINDRED_HL7_RECEIVERS", ())
    # SMART Backend Services: the file of registered clients ("" for none); their keys come from public https addresses.
    smart_clients: str = setting("KINDRED_SMART_CLIENTS", "")
    # For tests and demonstrations only: key sets may be plain http and on private addresses.
    smart_allow_private: bool = setting("KINDRED_SMART_ALLOW_PRIVATE", False)

    # Rest-hooks: the address of /fhir as subscribers know it ("https://kindred.example/fhir"), how long one answer may
    # take, the first wait after a failure (doubled up to an hour), and after how many failures in a row it is off.
    fhir_public_url: str = setting("KINDRED_FHIR_PUBLIC_URL", "")
    outward_timeout_s: float = setting("KINDRED_OUTWARD_TIMEOUT_S", 10.0)
    outward_first_wait_s: float = setting("KINDRED_OUTWARD_FIRST_WAIT_S", 5.0)
    outward_most_failures: int = setting("KINDRED_OUTWARD_MOST_FAILURES", 16)
    outward_lease_s: float = setting("KINDRED_OUTWARD_LEASE_S", 60.0)
    outward_subscriptions: int = setting("KINDRED_OUTWARD_SUBSCRIPTIONS", 20)
    # For tests and demonstrations only: rest-hooks may be plain http and on private addresses.
    outward_allow_private: bool = setting("KINDRED_OUTWARD_ALLOW_PRIVATE", False)

    @property
    def consent_rules(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a consent is judged by: our names, and the elements that must have come."""
        return self.consent_recipients, self.consent_elements
