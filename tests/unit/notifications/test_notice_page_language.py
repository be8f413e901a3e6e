"""The language of the inbox, the preferences and the operator's page."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from chassis.identity import Caller
from services.notifications.domain.intents import Channel, Intent
from services.notifications.domain.notices import Outcome, Reason
from services.notifications.domain.standing import Standing
from services.notifications.web import language, pages
from services.notifications.web.door import Visit


def a_request(**headers):
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": "GET", "path": "/notices", "headers": told, "query_string": b""}
    )


def chosen(**fields):
    visit = Visit(SimpleNamespace(), a_request(), Caller("sp_ines", "specialist", "", "TREAT"), fields)
    return language.choose(visit)


def test_a_chosen_language_goes_before_the_browsers():
    """Who pressed "Español" reads Spanish in an English browser; a language that we do not write is nobody's choice."""
    said = {"accept-language": "en-US,en;q=0.9"}
    assert pages.reader_of(a_request(**said)) == "en"
    assert pages.reader_of(a_request(**said, cookie="kindred-notices-language=es")) == "es"
    assert pages.reader_of(a_request(**said, cookie="kindred-notices-language=tlh")) == "en"


@pytest.mark.parametrize(
    ("fields", "where", "is_kept"),
    [
        ({"language": "es", "next": "/notices/preferences"}, "/notices/preferences", True),
        ({"language": "tlh", "next": "https://elsewhere.example/"}, "/notices", False),
    ],
)
def test_choosing_leads_back_to_one_of_our_pages(fields, where, is_kept):
    """The browser keeps a language that we write, and is sent to no page that is not ours."""
    response = chosen(**fields)
    assert response.headers["location"] == where
    kept = response.headers.get("set-cookie", "")
    assert kept.startswith("kindred-notices-language=es;") is is_kept
    assert not is_kept or ("HttpOnly" in kept and "SameSite=strict" in kept)


def test_every_language_of_the_catalogs_has_a_name():
    """No language can be written in and not be chosen."""
    assert set(pages.LANGUAGE_NAMES) == set(pages.catalogs.LANGUAGES)


@pytest.mark.parametrize("language", ["en", "es", "pt"])
@pytest.mark.parametrize(
    ("macro", "codes"),
    [
        ("channel", Channel),
        ("outcome", Outcome),
        ("reason", Reason),
        ("intent", Intent),
        ("standing", Standing),
    ],
)
def test_every_code_on_a_page_has_words(language, macro, codes):
    """Whatever a table of the operator's page may hold is said in words, in every language."""
    words = pages._environment(language).get_template("words.html").module
    for one in codes:
        said = str(getattr(words, macro)(one.value)).strip()
        assert said
        assert said != one.value
