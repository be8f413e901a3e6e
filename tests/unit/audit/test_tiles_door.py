"""The mirror over HTTP: what is served, how long it may be kept, and what is not served at all."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from chassis.errors import Refusal
from services.audit.publishing.mirror import Mirror
from services.audit.publishing.tiles_door import routes


@pytest.fixture
def client(tmp_path):
    """A mirror of a few files."""
    for path in (
        "checkpoint",
        "tile/0/000",
        "tile/0/x001/234.p/7",
        "tile/entries/000",
        "2027Q1/checkpoint",
        "newest",
        "key.pem",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())

    def refused(_, refusal):
        return PlainTextResponse(refusal.code, 404 if refusal.code == "no-such-tile" else 500)

    return TestClient(Starlette(routes=routes(Mirror(tmp_path)), exception_handlers={Refusal: refused}))


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/x001/234.p/7"])
def test_a_tile_may_be_kept_for_ever(client, path):
    """A tile never changes, and every cache on the way is told so."""
    answer = client.get(f"/log/{path}")
    assert answer.content == path.encode()
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["checkpoint", "2027Q1/checkpoint", "newest"])
def test_what_changes_is_asked_for_anew(client, path):
    """The newest checkpoint, and which log is the newest, are never old ones out of a cache."""
    answer = client.get(f"/log/{path}")
    assert answer.content == path.encode()
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "tile/entries/000",
        "key.pem",
        "../key.pem",
        "%2e%2e/key.pem",
        "tile/0/../../key.pem",
        "tile/0/001",
        "2027Q1/../key.pem",
        "tile/0/000.draft",
        "",
    ],
)
def test_nothing_else_is_served(client, path):
    """Leaves, keys, files beside the layout, ways out of the folder: not found, all alike."""
    answer = client.get(f"/log/{path}")
    assert (answer.status_code, b"key" in answer.content) == (404, False)
