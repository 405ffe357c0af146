"""How a venue's frames are put together for the load generator, which counts microseconds: rows are written once and reused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from monitor.simulator.protocols.frames import Keyed, TextRow
from monitor.simulator.source import RestReply

MARK = "70000.0"


class LoadForm(ABC):
    """One venue's form. `levels`: a side, inside the venue's window."""

    levels: ClassVar[int]

    @abstractmethod
    def symbol(self, coin: str) -> str:
        """The venue's spelling of the market of this coin in USDT."""

    @abstractmethod
    def book_key(self, symbol: str) -> str: ...

    @abstractmethod
    def row(self, price: str, size: str) -> str:
        """One level as it stands inside the brackets of a side."""

    def rows(self, rows: Sequence[TextRow]) -> bytes:
        return ",".join([self.row(price, size) for price, size in rows]).encode()

    @abstractmethod
    def frame(
        self, symbol: str, before: int, last: int, now_ms: int, bids: bytes, asks: bytes, *, snapshot: bool
    ) -> bytes:
        """A book frame with ids `before` and `last`, one above it (of a snapshot: the same)."""

    @abstractmethod
    def mark(self, symbol: str, now_ms: int) -> Keyed:
        """A frame with MARK as mark price."""

    def opens_with(self, key: str) -> bool:
        """Whether a new subscriber of the book gets a snapshot on the stream."""
        return True

    def rest(
        self,
        path: str,
        query: Mapping[str, str],
        last: int,
        now_ms: int,
        rows: tuple[Sequence[TextRow], Sequence[TextRow]],
    ) -> RestReply | None:
        """Snapshots and figures of one market, bids and asks best first; None: no such request."""
        return None
