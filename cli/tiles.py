"""Reading a log from its tiles (C2SP tlog-tiles), fetched one by one: roots of any size, nothing believed."""

from __future__ import annotations

from collections.abc import Callable

from cli.verify import NotVerified, node_hash

WIDTH = 256
_HASH = 32
# path -> the file's bytes; raises NotVerified where there is none
Fetch = Callable[[str], bytes]


class Tiles:
    """The hash tiles of a log whose newest size is `size`."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self.size = size
        self._fetch = fetch
        self._held: dict[tuple[int, int], list[bytes]] = {}

    def root(self, size: int) -> bytes:
        """The Merkle root of the first `size` entries, from the tiles alone; `size` is at least 1."""
        peaks: list[bytes] = []
        at = 0
        while at < size:
            height = (size - at).bit_length() - 1
            while at & ((1 << height) - 1):
                height -= 1
            peaks.append(self._subtree(height, at >> height))
            at += 1 << height
        node = peaks[-1]
        for left in reversed(peaks[:-1]):
            node = node_hash(left, node)
        return node

    def check_grown(self, before: int) -> int:
        """Every tile that is new since `before` entries is the one its parent says; returns how many were read.

        Raises NotVerified "tile-changed" naming it.
        """
        read = 0
        level = 0
        while self.size >> (8 * level):
            count = self.size >> (8 * level)
            for index in range((before >> (8 * level)) // WIDTH, count // WIDTH):
                read += 1
                if (
                    self._fold(self._tile(level, index))
                    != self._tile(level + 1, index // WIDTH)[index % WIDTH]
                ):
                    raise NotVerified("tile-changed", _path(level, index, WIDTH))
            level += 1
        return read

    def _subtree(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, 8)
        first = index << inner
        tile = self._tile(level, first // WIDTH)
        return self._fold(tile[first % WIDTH : first % WIDTH + (1 << inner)])

    def _fold(self, hashes: list[bytes]) -> bytes:
        while len(hashes) > 1:
            pairs = zip(hashes[0::2], hashes[1::2], strict=True)
            hashes = [node_hash(left, right) for left, right in pairs]
        return hashes[0]

    def _tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._held:
            width = min((self.size >> (8 * level)) - index * WIDTH, WIDTH)
            path = _path(level, index, width)
            content = self._fetch(path)
            if len(content) != width * _HASH:
                raise NotVerified("tile-missing", path)
            self._held[level, index] = [content[at : at + _HASH] for at in range(0, len(content), _HASH)]
        return self._held[level, index]


def _path(level: int, index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{number}" + ("" if width == WIDTH else f".p/{width}")
