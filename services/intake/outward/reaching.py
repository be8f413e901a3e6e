"""How each kind of receiver is reached: a rest-hook by a signed POST, an engine by a status message over MLLP."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from services.intake import handlers
from services.intake.domain.outward import Attempt, Delivery, Kind, Outcome
from services.intake.domain.referral import Referral
from services.intake.hl7v2.status import status_message
from services.intake.outward import endpoints, engines, hooks, wording
from services.intake.outward.endpoints import Lookup, NotPublic
from services.intake.outward.engines import Engine
from services.intake.outward.hooks import Told
from services.intake.store.outward import HeldSubscription, Wanted

if TYPE_CHECKING:
    from services.intake.bootstrap import Room

_FHIR_JSON = "application/fhir+json"


@dataclass
class Reach:
    """Everything that is needed to reach a receiver; `lookup` may block and must not stop other senders."""

    room: Room
    engines: Mapping[str, Engine]
    clock: Clock
    lookup: Lookup
    base: str = ""  # of our FHIR server, with its last slash
    timeout_s: float = 10.0
    may_be_private: bool = False
    client_cert: str = ""
    client_key: str = ""

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Who we are to an engine that asks, and whom we trust: the system's authorities (SSL_CERT_FILE)."""
        context = ssl.create_default_context()
        if self.client_cert:
            context.load_cert_chain(self.client_cert, self.client_key or None)
        return context

    def is_there(self, delivery: Delivery, subscription: HeldSubscription | None) -> bool:
        """True where the receiver still wants to be told."""
        if delivery.kind is Kind.HL7:
            return delivery.source_id in self.engines
        return subscription is not None and subscription.subscription.is_told

    def greet(self, held: HeldSubscription, wanted: Wanted) -> Told:
        """The handshake of a subscription."""
        message_id = f"msg_handshake_{held.subscription.subscription_id}_{held.version}"
        body = wording.handshake(held.subscription, self.base, self.clock.now())
        return self._post(wanted, message_id, body, {})

    def tell(
        self,
        delivery: Delivery,
        attempt: Attempt,
        subscription: HeldSubscription | None,
        referral: Referral,
        cause: Cause,
    ) -> Told:
        """One try to tell the receiver that the referral has this version."""
        if subscription is not None:
            return self._notify(delivery, attempt, subscription, referral)
        return self._report(delivery, cause)

    def _notify(
        self, delivery: Delivery, attempt: Attempt, held: HeldSubscription, referral: Referral
    ) -> Told:
        wanted = self.room.subscriptions.open(held)
        body = wording.moved(held.subscription, referral, delivery.event_number, self.base, self.clock.now())
        message_id = f"msg_{delivery.delivery_id}_{attempt.version}"
        repeat = "; possible-repeat" if attempt.is_possible_repeat else ""
        return self._post(wanted, message_id, body, {"X-Kindred-Attempt": f"{attempt.number}{repeat}"})

    def _post(self, wanted: Wanted, message_id: str, body: bytes, more: Mapping[str, str]) -> Told:
        endpoint = endpoints.read(wanted.endpoint, may_be_private=True)  # http was judged when it was named
        try:
            addresses = endpoints.addresses(endpoint, self.lookup, may_be_private=self.may_be_private)
        except NotPublic:
            return Told(Outcome.UNREACHABLE, "address-not-public")
        except (OSError, UnicodeError):
            return Told(Outcome.UNREACHABLE, "no-such-host")
        now = int(time.time())
        headers = dict(line.split(": ", 1) for line in wanted.headers) | {
            "Host": endpoint.host_header,
            "User-Agent": "Kindred",
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": hooks.signature(wanted.secret, message_id, now, body),
            **more,
        }
        if body:
            headers["Content-Type"] = _FHIR_JSON
        return hooks.post(endpoint, addresses, body, headers, timeout_s=self.timeout_s, tls=self.tls)

    def _report(self, delivery: Delivery, cause: Cause) -> Told:
        """PHI leaves to the source it came from: its reading is in the audit trail first."""
        engine = self.engines[delivery.source_id]
        reader = Caller("system:intake", "system", delivery.source_id, "COC")
        read_for = replace(cause, event_id="")
        try:
            referral, kept = handlers.read_referral(self.room, reader, delivery.referral_id, "Task", read_for)
            # It may have moved just now: then the newer version goes out now, and once more under its own name.
            message_id = engines.control_id(delivery.delivery_id, referral.task_version)
            message = status_message(referral, kept, to=engine.to, control_id=message_id)
        except (
            Refusal
        ) as refusal:  # erased, or in no character set the engine knows: trying again changes nothing
            return Told(Outcome.REFUSED, refusal.code)
        return engines.send(
            engine, message, message_id, timeout_s=self.timeout_s, tls=self.tls, lookup=self.lookup
        )
