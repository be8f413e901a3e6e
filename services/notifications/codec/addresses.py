"""Addresses in the one form their far side takes, or none."""

from __future__ import annotations

from zoneinfo import available_timezones

import phonenumbers
from email_validator import EmailNotValidError, validate_email

_ZONES = available_timezones()


def is_zone(name: str) -> bool:
    """True for an IANA time zone."""
    return name in _ZONES


def phone_number(text: str) -> str:
    """The number in E.164, or "" where it is none that can be dialed. Without a country code it is of the USA."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_address(text: str) -> str:
    """The address in the form a mail server takes, or "" where it is none."""
    try:
        return (
            validate_email(
                text, check_deliverability=False, allow_smtputf8=False, test_environment=True
            ).ascii_email
            or ""
        )
    except EmailNotValidError:
        return ""
