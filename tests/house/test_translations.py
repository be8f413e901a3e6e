"""Every text a person may read is written in every language we write."""

from pathlib import Path

import pytest

from services.notifications.wording import catalogs

ROOM = Path(catalogs.__file__).parents[1]


@pytest.mark.parametrize("language", [one for one in catalogs.LANGUAGES if one != catalogs.FALLBACK])
def test_no_translation_is_missing(language: str) -> None:
    """The catalog has each text of letters and pages, with its placeholders, and none that nobody asks for."""
    assert catalogs.missing(language, ROOM) == []
