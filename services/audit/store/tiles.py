"""MongoDB under one log's tiles: hash tiles with their middles beside them, bundles, and the trees read from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from services.audit.domain.entry import LogBroken
from services.audit.domain.period import FIRST, ROOT, LogPlace
from services.audit.store.duplicates import only_duplicates
from services.audit.store.heads import HeadStore
from services.audit.tlog.folds import FoldedTree, KeptFolds
from services.audit.tlog.merkle import HASH_BYTES
from services.audit.tlog.tiles import TILE_WIDTH, Tile, TilePlace, bundle_path, encode_bundle

Document = dict[str, Any]
# Derived from a full tile's content, and never believed by itself.
_MIDDLE = "middle"
_NO_MIDDLE = b"?"


class TileStore(HeadStore):
    """One log's tiles. A tile is never written again, only found equal."""

    def __init__(
        self, database: Database[Document], place: LogPlace = FIRST, kept: KeptFolds | None = None
    ) -> None:
        super().__init__(database, place)
        self.kept = kept or KeptFolds()
        own = "root_" if place == ROOT else ""
        self.tiles: Collection[Document] = database[f"{own}tiles"]

    def write_tiles(self, tiles: Sequence[Tile], bundles: Mapping[int, Sequence[bytes]]) -> None:
        """Tiles and full entry bundles are there; raises LogBroken where others already were."""
        documents = [
            {"_id": self._path(tile.place), "content": tile.content}
            | ({_MIDDLE: tile.middle} if tile.middle else {})
            for tile in tiles
        ]
        documents += [
            {"_id": self.place.prefix + bundle_path(number), "content": encode_bundle(leaves)}
            for number, leaves in bundles.items()
        ]
        self._write_once(self.tiles, documents)

    def forget_partial_tiles(self, full: Iterable[TilePlace]) -> None:
        """Partial tiles of places that are full now (tlog-tiles allows it)."""
        paths = [self._path(place) for place in full]
        ranges = [{"_id": {"$gte": f"{path}.p/", "$lt": f"{path}.p0"}} for path in paths]
        if ranges:
            self.tiles.delete_many({"$or": ranges})

    def tile(self, place: TilePlace, published_size: int) -> bytes | None:
        """A tile's hashes, cut from the widest stored one when an older, narrower one is asked for."""
        reach = (published_size >> (8 * place.level)) - place.index * TILE_WIDTH
        stored = TilePlace(place.level, place.index, min(reach, TILE_WIDTH))
        full = TilePlace(place.level, place.index, TILE_WIDTH)
        for candidate in dict.fromkeys((stored, full)):
            document = self.tiles.find_one({"_id": self._path(candidate)})
            if document:
                return _content(document)[: place.width * HASH_BYTES]
        return None

    def tiles_cut(self, places: Sequence[TilePlace], published_size: int) -> dict[TilePlace, Tile]:
        """Those of the tiles that are there, each as `tile` gives it, in one question."""
        stored: dict[TilePlace, tuple[str, str]] = {}
        for place in places:
            reach = (published_size >> (8 * place.level)) - place.index * TILE_WIDTH
            widest = TilePlace(place.level, place.index, min(reach, TILE_WIDTH))
            stored[place] = self._path(widest), self._path(TilePlace(place.level, place.index, TILE_WIDTH))
        paths = {path for pair in stored.values() for path in pair}
        found = {each["_id"]: each for each in self.tiles.find({"_id": {"$in": list(paths)}})}
        return {
            place: _cut(place, next(found[path] for path in pair if path in found))
            for place, pair in stored.items()
            if not found.keys().isdisjoint(pair)
        }

    def keep_middles(self, tiles: Sequence[Tile]) -> None:
        """The middles of these full tiles are beside them, for tiles from before there were any."""
        absent = {_MIDDLE: {"$exists": False}}
        self.tiles.bulk_write(
            [
                UpdateOne({"_id": self._path(tile.place)} | absent, {"$set": {_MIDDLE: tile.middle}})
                for tile in tiles
            ],
            ordered=False,
        )

    def tree(self, size: int, published_size: int) -> FoldedTree:
        """The tree of this size, whose proofs are made from stored and kept tiles alone."""
        return FoldedTree(
            size,
            lambda places: self.tiles_cut(places, published_size),
            self.kept,
            self.place.name,
            self.keep_middles,
        )

    def tiles_at(self, places: Sequence[TilePlace]) -> list[Tile]:
        """Those of the tiles that are stored under exactly these paths."""
        by_path = {self._path(place): place for place in places}
        found = self.tiles.find({"_id": {"$in": list(by_path)}})
        return [Tile(by_path[document["_id"]], _content(document)) for document in found]

    # -- for a check of the whole log

    def stored_path(self, path: str) -> bytes | None:
        """What is stored under one tlog-tiles path."""
        document = self.tiles.find_one({"_id": self.place.prefix + path})
        return _content(document) if document else None

    def stored_paths(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Those of the tlog-tiles paths that are stored, with their content."""
        before = len(self.place.prefix)
        found = self.tiles.find({"_id": {"$in": [self.place.prefix + path for path in paths]}})
        return {document["_id"][before:]: _content(document) for document in found}

    def narrower_tiles(self) -> Iterator[tuple[str, bool]]:
        """Each stored partial tile, and whether it is the beginning of the widest one at its place."""
        partial = self.tiles.find({"_id": {"$regex": rf"^{self.place.prefix}tile/\d+/.*\.p/"}})
        by_place: dict[str, list[bytes]] = {}
        for document in partial:
            by_place.setdefault(document["_id"].partition(".p/")[0], []).append(_content(document))
        for path, contents in by_place.items():
            widest = max(contents, key=len)
            for content in contents:
                yield f"{path}.p/{len(content) // HASH_BYTES}", widest.startswith(content)

    def stored_tiles(self, places: Sequence[TilePlace]) -> dict[TilePlace, Tile]:
        """Those of the tiles that are stored under exactly these paths, with their middles."""
        by_path = {self._path(place): place for place in places}
        found = self.tiles.find({"_id": {"$in": list(by_path)}})
        return {by_path[each["_id"]]: _cut(by_path[each["_id"]], each) for each in found}

    def _path(self, place: TilePlace) -> str:
        return self.place.prefix + place.path()

    def _write_once(self, collection: Collection[Document], documents: Sequence[Document]) -> None:
        """All documents are stored exactly so; raises LogBroken where one of them was stored otherwise."""
        if not documents:
            return
        try:
            collection.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            clashing = [documents[error["index"]] for error in only_duplicates(exc)]
            ids = [document["_id"] for document in clashing]
            stored = {found["_id"]: found for found in collection.find({"_id": {"$in": ids}})}
            for document in clashing:
                if _plain(stored.get(document["_id"])) != _plain(document):
                    raise LogBroken(f"{collection.name}-differ", str(document["_id"])) from None


def _plain(document: Document | None) -> Document | None:
    """The document without what is derived from the rest of it."""
    return document and {name: value for name, value in document.items() if name != _MIDDLE}


def _cut(place: TilePlace, document: Document) -> Tile:
    content = _content(document)[: place.width * HASH_BYTES]
    if not place.is_full or _MIDDLE not in document:
        return Tile(place, content)
    middle = document[_MIDDLE]
    return Tile(place, content, middle if middle and isinstance(middle, bytes) else _NO_MIDDLE)


def _content(document: Document) -> bytes:
    """The bytes of a stored tile or bundle; none where somebody put something else there."""
    content = document.get("content")
    return content if isinstance(content, bytes) else b""
