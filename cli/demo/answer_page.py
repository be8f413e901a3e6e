"""A specialist's browser, as far as the answer page needs one: open the link of the e-mail, press a button."""

import re
import urllib.error
import urllib.parse
import urllib.request

PAGE_S = 5.0
WAY = re.compile(r'name="modality" value="([a-z]+)"')


def ways(link: str) -> list[str]:
    """How the page lets the specialist come: bedside, phone, video, in the page's order; empty if it is closed."""
    try:
        with urllib.request.urlopen(link, timeout=PAGE_S) as page:  # noqa: S310  our own address
            return WAY.findall(page.read().decode())
    except urllib.error.HTTPError:
        return []


def accept(link: str, way: str, *, minutes: int) -> int:
    """Presses yes and returns the HTTP status."""
    form = {"answer": "accept", "modality": way, "minutes": str(minutes)}
    try:
        with urllib.request.urlopen(link, urllib.parse.urlencode(form).encode(), timeout=PAGE_S) as page:  # noqa: S310
            return int(page.status)
    except urllib.error.HTTPError as refused:
        return refused.code
