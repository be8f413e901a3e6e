"""CON segments at their edges: a no of a day, a no whose time cannot be read, an end that is never."""

from __future__ import annotations

import pytest

from tests.unit.intake.hl7_builders import CON, NOW, a_referral, read


def con(status: str, decided: str, ends: str = "") -> str:
    """A consent to a disclosure, decided then."""
    return (
        f"CON|1|001^Authorization to disclose^HL70496|FORM-7|C-56||||||W|{status}||{decided}|{decided}|{ends}"
    )


@pytest.mark.parametrize("status", ["R", "X"])
def test_a_no_of_the_same_day_outdates_a_yes_with_a_time(status: str) -> None:
    """P7: a refusal or rescission dated by its day counts from the day's last moment."""
    said = read(a_referral(con(status, "20261121"))).said["consent"]
    assert said.is_permitted is False


@pytest.mark.parametrize("status", ["R", "X"])
def test_a_no_whose_time_cannot_be_read_is_still_a_no(status: str) -> None:
    """P7: an unreadable date makes nobody's no disappear."""
    reading = read(a_referral(con=con(status, "soon")))
    assert reading.said["consent"].is_permitted is False and reading.faults == ()


@pytest.mark.parametrize("ends", ["9999", "999912", "99991231"])
def test_an_end_that_is_never_is_read(ends: str) -> None:
    """The year 9999 is how many engines write "without an end"."""
    reading = read(a_referral(con=con("A", "20261121165500", ends)))
    assert reading.faults == () and reading.said["consent"].expires_at > NOW
    assert CON.startswith("CON|1|001")
