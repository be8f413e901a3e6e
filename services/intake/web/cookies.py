"""What the browser keeps of the desk, by the names its pages use."""

from __future__ import annotations

from chassis.web_cookies import Cookies

__all__ = ["COOKIES", "form_token", "posted", "session_secret"]
COOKIES = Cookies("kindred-desk")
session_secret, form_token, posted = COOKIES.secret, COOKIES.form_token, COOKIES.posted_or_stale
