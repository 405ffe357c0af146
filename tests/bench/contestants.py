"""Who takes part, and what each has to do: frame bytes in, book updated, seven bands of both sides in coins and USD out."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol


class Contestant(Protocol):
    """One book of the capture's market. Made for one pass over the frames."""

    def __init__(self, snapshot: bytes, frames: Sequence[bytes]) -> None:
        """Seeds the book. `frames` are those to come: who can only read from memory laid out before may lay it out here."""

    def update(self, frame: bytes) -> object:
        """The frame into the book."""

    def update_and_bands(self, frame: bytes) -> object:
        """The frame into the book, and the bands out, in whatever form is natural."""

    def figures(self) -> list[float]:
        """The bands as they are now: bid then ask, each band from the narrowest, each its coins and its USD."""


OURS: Final = "undertow"
# name: (module, class, the packages it stands for)
PEERS: Final = {
    "orjson + floats + sortedcontainers": (
        "tests.bench.peer_sortedcontainers",
        "SortedContainersBook",
        ("sortedcontainers", "orjson"),
    ),
    "cryptofeed order_book": ("tests.bench.peer_cryptofeed", "CryptofeedBook", ("cryptofeed", "order_book")),
    "nautilus_trader OrderBook": ("tests.bench.peer_nautilus", "NautilusBook", ("nautilus_trader",)),
    "hftbacktest market depth": ("tests.bench.peer_hftbacktest", "HftbacktestBook", ("hftbacktest",)),
}


def available() -> tuple[dict[str, type[Contestant]], dict[str, str]]:
    """Contestants by name, ours first; and the peers that cannot take part, with the reason."""
    from tests.bench.ours import UndertowBook

    present: dict[str, type[Contestant]] = {OURS: UndertowBook}
    absent: dict[str, str] = {}
    for name, (module, attribute, _) in PEERS.items():
        try:
            present[name] = getattr(importlib.import_module(module), attribute)
        except ImportError as error:
            absent[name] = str(error)
    return present, absent


def versions() -> dict[str, str]:
    found: dict[str, str] = {}
    packages = [package for _, _, several in PEERS.values() for package in several]
    for package in ("undertow", "numba", "numpy", "websockets", "uvloop", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def disagreement(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The largest relative difference between two sets of figures."""
    return max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(ours, theirs, strict=True))


def make(kind: type[Any], snapshot: bytes, frames: Sequence[bytes]) -> Contestant:
    made: Contestant = kind(snapshot, frames)
    return made
