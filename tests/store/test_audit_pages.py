"""Pages of a search on a real database: each fits a message, and together they are everything once."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.envelope import Cause
from chassis.identity import Caller
from kindred.audit.v1.audit_pb2 import SearchEntriesRequest, SearchEntriesResponse
from services.audit import codec, handlers
from tests.audit_builders import Log, a_read, a_room, facts_of, some_reads

OFFICER = Caller("officer-3", "compliance", "kindred", "HCOMPL")
CAUSE = Cause("cor_test")
PAGE_BYTES = 700_000


@pytest.fixture
def log(database, tmp_path, mongo_uri, mongo_client):
    """An empty log."""
    yield Log(a_room(database, tmp_path, mongo_uri))
    for suffix in ("_keys", "_signer"):
        mongo_client.drop_database(database.name + suffix)


def _pages(log: Log, limit: int = 0) -> Iterator[SearchEntriesResponse]:
    """Every page as it goes over the wire, each asked for with the token of the one before."""
    token = ""
    while True:
        request = SearchEntriesRequest(limit=limit, page_token=token)
        wanted = codec.search_from_proto(request)
        page = codec.found_to_proto(handlers.search(log.room, wanted, OFFICER, CAUSE))
        yield page
        token = page.next_page_token
        if not token:
            return


def _indexes(pages: list[SearchEntriesResponse]) -> list[int]:
    return [entry.index for page in pages for entry in page.entries]


def test_search_pages_through_everything_once(log):
    """Pages follow each other without a gap or an overlap, also where times are equal."""
    log.record([facts_of(a_read(), producer_seq=each) for each in range(1, 26)])
    pages = list(_pages(log, limit=7))
    assert [len(page.entries) for page in pages] == [7, 7, 7, 4]
    assert _indexes(pages) == list(range(24, -1, -1))


def test_an_answer_is_never_larger_than_a_message(log):
    """Entries with large unread content come in as many pages as they need, each once."""
    log.record([facts_of(None, content=os.urandom(60_000), producer_seq=each) for each in range(1, 31)])
    pages = list(_pages(log, limit=500))
    assert len(pages) > 2
    assert all(page.ByteSize() < PAGE_BYTES + 1_000 for page in pages)
    assert _indexes(pages) == list(range(29, -1, -1))


def test_a_page_of_usual_entries_ends_before_it_is_too_large(log):
    """A thousand usual entries are more than a message; no page is, and none is needlessly small."""
    events = [
        facts_of(a_read(actor_id=f"nurse-{each}", purpose="TREAT"), producer_seq=each,
                 after=timedelta(milliseconds=each // 3))
        for each in range(1, 1_001)
    ]  # fmt: skip
    log.record(events)
    pages = list(_pages(log, limit=1_000))
    sizes = [page.ByteSize() for page in pages]
    assert sum(sizes) > 1_000_000
    assert all(size < PAGE_BYTES + 1_000 for size in sizes)
    assert all(size > PAGE_BYTES * 0.8 for size in sizes[:-1])
    assert _indexes(pages) == list(range(999, -1, -1))


def test_long_names_count_toward_the_size(log):
    """A row's own texts are weighed too: long ids cannot push a page over a message."""
    events = [
        replace(
            facts_of(a_read(actor_id="é" * 2_000, peer_id=f"peer_{'ü' * 1_500}"), producer_seq=each),
            event_id=f"{each}{'ø' * 500}",
            event_type="t" * 3_000,
        )
        for each in range(1, 101)
    ]
    log.record(events)
    pages = list(_pages(log))
    assert len(pages) > 1
    assert all(page.ByteSize() < PAGE_BYTES + 1_000 for page in pages)
    assert _indexes(pages) == list(range(99, -1, -1))


def test_every_entry_weighs_no_more_than_it_is_said_to(log):
    """The weight by which pages are cut is never below the bytes on the wire."""
    log.record([*some_reads(20), facts_of(None, content=b"?", producer_seq=21)])
    found = handlers.search(log.room, handlers.Search(), OFFICER, CAUSE)
    for hit in found.hits:
        alone = SearchEntriesResponse(entries=[codec.entry_to_proto(hit)])
        assert alone.ByteSize() <= hit.most_bytes < alone.ByteSize() + 300


def test_one_entry_larger_than_a_page_is_a_page(log):
    """A search goes on behind an entry that alone is more than a page should be."""
    small = replace(log.room, settings=replace(log.room.settings, max_body_bytes=1_000))
    log.record(some_reads(3))
    pages = list(_pages(Log(small)))
    assert [len(page.entries) for page in pages] == [1, 1, 1]
    assert _indexes(pages) == [2, 1, 0]


def test_a_limit_above_the_largest_is_the_largest(log, monkeypatch):
    """Whoever asks for two thousand million entries gets as many as anybody, and where to go on."""
    monkeypatch.setattr(handlers, "MOST_HITS", 10)
    log.record(some_reads(25))
    pages = list(_pages(log, limit=2**31 - 1))
    assert [len(page.entries) for page in pages] == [10, 10, 5]
    assert _indexes(pages) == list(range(24, -1, -1))
