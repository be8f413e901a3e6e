"""Outward news as rules: criteria, endpoints, engines, signatures, and what each answer does to a delivery."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chassis.clock import TurnedClock
from chassis.errors import Refusal
from services.intake.domain import outward
from services.intake.domain.outward import Attempt, Delivery, Kind, Outcome
from services.intake.domain.states import State
from services.intake.outward import criteria, endpoints, engines, hooks
from services.intake.outward.sending import Sending
from services.intake.outward.verdicts import Pace
from tests.unit.intake.test_intake_states import a_referral

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
DELIVERY = Delivery("sub-1.ref-1", "sub-1", Kind.REST_HOOK, "er-1", "ref-1", wanted=2)


def tried(delivery: Delivery, outcome: Outcome, version: int = 2) -> tuple[Delivery, datetime | None]:
    """One try, from its mark to its end."""
    begun = outward.begin(delivery, version, 1, NOW)
    assert begun.attempt is not None
    return outward.settle(begun, begun.attempt, outcome, LATER, NOW)


def test_what_was_taken_is_done() -> None:
    """Nothing is due any more, and the next try is a first one."""
    done, due_at = tried(DELIVERY, Outcome.DELIVERED)
    assert (done.sent, done.is_done, due_at, done.attempt) == (2, True, None, None)


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.UNKNOWN, Outcome.UNREACHABLE])
def test_what_was_not_taken_is_due_again_and_only_certainty_is_no_repeat(outcome: Outcome) -> None:
    """The second try says that it may be one, unless the first certainly never arrived."""
    failed, due_at = tried(DELIVERY, outcome)
    again = outward.begin(failed, 2, 1, LATER)
    assert due_at == LATER
    assert again.attempt == Attempt(2, 2, LATER, outcome is not Outcome.UNREACHABLE)


def test_a_try_that_was_never_settled_may_have_arrived() -> None:
    """Whoever finds a mark without its end says so."""
    again = outward.begin(outward.begin(DELIVERY, 2, 1, NOW), 2, 1, LATER)
    assert again.attempt == Attempt(2, 2, LATER, True)


def test_a_newer_version_is_a_message_of_its_own() -> None:
    """It replaces the older one, and is no repeat of it."""
    failed, _ = tried(DELIVERY, Outcome.UNKNOWN)
    newer = outward.begin(failed, 3, 1, LATER)
    assert newer.attempt == Attempt(3, 1, LATER, False)
    assert newer.wanted == 3


def test_what_came_meanwhile_is_due_at_once() -> None:
    """A version wanted during the send is sent after it."""
    begun = outward.begin(DELIVERY, 2, 1, NOW)
    assert begun.attempt is not None
    done, due_at = outward.settle(replace(begun, wanted=3), begun.attempt, Outcome.DELIVERED, LATER, NOW)
    assert (done.is_done, due_at) == (False, NOW)


def test_an_engine_s_error_is_believed_after_some_tries() -> None:
    """AE may pass; the same message is not sent for ever."""
    delivery: Delivery = replace(DELIVERY, kind=Kind.HL7)
    for _ in range(outward.MOST_DECLINED):
        assert not delivery.is_done
        delivery, due_at = tried(delivery, Outcome.DECLINED)
    assert delivery.is_done
    assert due_at is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Task", True),
        ("Task?status=accepted", True),
        ("Task?status=requested,accepted", True),
        ("Task?status=completed", False),
        ("Task?business-status=5.1.1", True),
        ("Task?business-status=assigned&priority=stat", True),
        ("Task?priority=routine", False),
        ("Task?_id=ref-1", True),
        ("Task?_id=ref-2", False),
    ],
)
def test_criteria_pick_tasks_as_a_search_would(text: str, fits: bool) -> None:
    """All parameters must fit, one value of each is enough."""
    referral = a_referral(state=State.ASSIGNED, urgency="immediate", referral_id="ref-1")
    assert criteria.parse(text).fits(referral) is fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Patient",
        "Task?",
        "Task?status",
        "Task?code=x",
        "Task?status=",
        "Task?status=x",
        "Task?_id=a&_id=b",
    ],
)
def test_criteria_that_cannot_be_answered_are_refused(text: str) -> None:
    """With the place and a code of its own; "Task?" says nothing less than Task."""
    if text == "Task?":
        assert criteria.parse(text).wanted == {}
        return
    with pytest.raises(Refusal) as caught:
        criteria.parse(text)
    assert caught.value.faults[0].path == "Subscription.criteria"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.192", "168.63.129.16", "198.18.0.1"),
        *(
            "::1",
            "::",
            "fe80::1",
            "fe80::1%eth0",
            "fc00::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
        ),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1"),
    ],
)
def test_addresses_behind_walls_are_not_public(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast, reserved, and what wraps another address."""
    assert not endpoints.is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"])
def test_addresses_of_the_public_network_are(address: str) -> None:
    """IPv4, IPv6, and a public IPv4 address in IPv6 clothes."""
    assert endpoints.is_public(address)


def test_a_name_that_leads_inside_is_found_out_whenever_it_is_asked() -> None:
    """One private address among public ones is enough; a name that changes its mind is asked again on connect."""
    endpoint = endpoints.read("https://hooks.example/x", may_be_private=False)
    found = [["93.184.216.34"], ["93.184.216.34", "10.0.0.7"]]
    assert endpoints.addresses(endpoint, lambda *_: found[0], may_be_private=False) == found[0]
    with pytest.raises(endpoints.NotPublic):
        endpoints.addresses(endpoint, lambda *_: found[1], may_be_private=False)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "hooks.example",
            "ftp://hooks.example",
            "http://hooks.example/",
            "https://",
            "https://u:p@h.example/",
        ),
        *(
            "https://h.example/#part",
            "https://h.example:0/",
            "https://h.example:99999/",
            "https://h.example/a b",
        ),
        *("https://h.example/\r\nX: y", "https://[::1", "https://" + "h" * 3_000, "file:///etc/passwd"),
    ],
)
def test_only_plain_https_urls_are_endpoints(url: str) -> None:
    """No user, no fragment, no spaces, no other scheme."""
    with pytest.raises(Refusal) as caught:
        endpoints.read(url, may_be_private=False)
    assert caught.value.code == "endpoint-invalid"


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_odd_spellings_of_this_machine_are_this_machine(host: str) -> None:
    """Whatever the resolver makes of it is judged, not the spelling."""
    endpoint = endpoints.read(f"https://{host}/", may_be_private=False)
    with pytest.raises((endpoints.NotPublic, OSError)):
        endpoints.addresses(endpoint, endpoints.system_lookup, may_be_private=False)


@given(
    st.binary(max_size=200).map(lambda noise: noise.hex().encode()), st.text("abcdef0123456789._", min_size=1)
)
def test_signatures_are_the_standard_s(body: bytes, message_id: str) -> None:
    """The library of Standard Webhooks signs the same."""
    secret = hooks.new_secret()
    moment = datetime.fromtimestamp(1_700_000_000, UTC)
    theirs = Webhook(secret).sign(message_id, moment, body.decode())
    assert hooks.signature(secret, message_id, 1_700_000_000, body) == theirs


def test_engines_are_read_with_their_names() -> None:
    """host:port is enough; TLS, application, facility and version may stand beside."""
    entries = (
        "er-1=127.0.0.1:2576",
        "er-2=mllps://hl7.er.example:2575?application=EPIC&facility=STB&version=2.3",
    )
    known = engines.read(entries, allow_plain=False)
    assert (known["er-1"].port, known["er-1"].is_tls) == (2576, False)
    assert (known["er-2"].is_tls, known["er-2"].to.application, known["er-2"].to.version) == (
        True,
        "EPIC",
        "2.3",
    )


@pytest.mark.parametrize(
    "entry", ["er-1", "er-1=", "=h:1", "er-1=h", "er-1=http://h:1", "er-1=127.0.0.1:1?x=y"]
)
def test_a_malformed_engine_is_named(entry: str) -> None:
    """The process says so before it starts."""
    with pytest.raises(ValueError, match="KINDRED_HL7_RECEIVERS"):
        engines.read((entry,), allow_plain=True)


def test_nothing_goes_in_clear_over_a_network_unasked() -> None:
    """A receiver off this machine wants TLS, or the operator's word that the network is theirs."""
    with pytest.raises(ValueError, match="in clear"):
        engines.read(("er-1=hl7.er.example:2575",), allow_plain=False)
    assert engines.read(("er-1=hl7.er.example:2575",), allow_plain=True)


def test_a_message_keeps_its_control_id_over_every_try() -> None:
    """Twenty characters at most, as old versions want, and another one for another version."""
    first = engines.control_id("hl7v2:er-1.ref-1", 2)
    assert first == engines.control_id("hl7v2:er-1.ref-1", 2) != engines.control_id("hl7v2:er-1.ref-1", 3)
    assert len(first) == 20


def test_a_handshake_that_drips_is_cut() -> None:
    """Whoever sends a byte of TLS now and then holds a sender no longer than any other silence."""
    with socket.create_server(("127.0.0.1", 0)) as far:
        port = far.getsockname()[1]

        def drip() -> None:
            near, _ = far.accept()
            with near, suppress(OSError):
                near.sendall(b"\x16\x03\x03\x40\x00")
                for _ in range(200):
                    near.sendall(b"\x00")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        endpoint = endpoints.read(f"https://localhost:{port}/", may_be_private=True)
        tls = ssl.create_default_context()
        told = hooks.post(endpoint, ["127.0.0.1"], b"", {}, timeout_s=0.3, tls=tls)
    assert (told.outcome, told.code) == (Outcome.UNREACHABLE, "no-connection")


def test_a_number_that_was_taken_waits_for_the_next_try() -> None:
    """Whoever counts its news misses none because a newer version came between the number and the try."""

    class Rows:
        row = replace(DELIVERY, wanted=3)

        def revise(self, _: str, decide: Callable[[Delivery], tuple[Delivery, datetime | None]]) -> None:
            self.row, self.due_at = decide(self.row)

    rows = Rows()
    room: Any = SimpleNamespace(deliveries=rows)
    nobody: Any = None
    Sending(room, nobody, Pace(), TurnedClock(NOW))._keep_number(DELIVERY, 7)
    assert (rows.row.event_number, rows.due_at) == (7, NOW)
    assert outward.begin(rows.row, 3, rows.row.event_number, NOW).event_number == 7
