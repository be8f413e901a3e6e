"""What the browser keeps of the desk, by the names its pages use."""

from __future__ import annotations

from chassis.web_cookies import Cookies, new_secret

__all__ = [
    "COOKIES",
    "drop_session",
    "form_token",
    "keep_door",
    "new_secret",
    "posted",
    "session_secret",
    "token_of",
]
COOKIES = Cookies("kindred-desk")
session_secret, form_token, token_of = COOKIES.secret, COOKIES.form_token, COOKIES.token_of
posted, keep_door, drop_session = COOKIES.posted_or_stale, COOKIES.keep_door, COOKIES.drop_session
