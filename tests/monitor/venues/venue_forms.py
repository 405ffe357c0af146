"""What the venue tests share: sample markets, each venue's own form of an ack, and captured frames as text."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from monitor.facts import Instrument
from monitor.venues.base import Poll, Venue

# Coins as venues spell them: with digits, short, and long.
COINS = [
    "BTC",
    "ETH",
    "SOL",
    "1000PEPE",
    "A",
    "4",
    "1INCH",
    "LONGESTNAMEEVER",
    *(f"C{number}" for number in range(300)),
]


def sample_instruments(venue: Venue, count: int) -> list[Instrument]:
    """Markets named after the venue's example with another coin; only names that its pattern accepts."""
    symbols = [re.sub("BTC|XBT|btc", coin, venue.symbol_example, count=1) for coin in COINS]
    fitting = [symbol for symbol in symbols if re.fullmatch(venue.symbol_pattern, symbol)]
    kind = venue.contract_types[0]
    tick = Decimal("0.1")
    return [
        Instrument(venue.name, symbol, "X", "USDT", "USDT", kind, tick, tick)  # type: ignore[arg-type]
        for symbol in fitting[:count]
    ]


def poll_of(venue: Venue, market: Instrument, key: str) -> Poll:
    """One of the polls of a market."""
    (found,) = (poll for poll in venue.polls(market) if poll.request.key == key)
    return found


class Forms(Protocol):
    """One venue's module in `forms/`: its own words.

    acks: from a parsed subscribe (or unsubscribe) frame to the frames in which the venue confirms it.
    PONGS: answers to our ping, where the venue is pinged in the application layer. REFUSAL: a refused subscription, of request 4
    where the venue echoes ids.
    GOOD: one good frame or reply of each kind, by topic key; replies by "rest:<purpose>" (with anything after it).
    """

    PONGS: list[bytes]
    REFUSAL: bytes
    GOOD: dict[str, bytes]

    def acks(self, asked: dict[str, Any]) -> list[bytes]: ...


def _load(path: Path) -> Forms:
    spec = importlib.util.spec_from_file_location(f"forms_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Forms", module)


FORMS: dict[str, Forms] = {path.stem: _load(path) for path in sorted((Path(__file__).parent / "forms").glob("*.py"))}
GOOD: dict[str, dict[str, bytes]] = {name: dict(form.GOOD) for name, form in FORMS.items()}


def lines(path: Path) -> Iterator[dict[str, object]]:
    """The JSON lines of a capture, gzipped or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        for line in file:
            yield json.loads(line)


def tardis_messages(shared_data: Path, test: str) -> list[bytes]:
    """Messages of one of tardis' mapper tests, serialised compactly as venues do."""
    found = []
    for row in lines(shared_data / "tardis-node-messages" / "messages.jsonl.gz"):
        if row["test"] == test:
            message = row["msg"]
            assert isinstance(message, dict)
            found.append(orjson.dumps(message.get("message", message)))
    assert found, test
    return found


def nautilus_messages(shared_data: Path, venue: str) -> dict[str, bytes]:
    """nautilus' fixtures of one venue by file name, serialised compactly."""
    found = {}
    for row in lines(shared_data / "nautilus-adapter-messages" / "messages.jsonl.gz"):
        if row["venue"] == venue:
            found[str(row["file"]).rpartition("/")[2]] = orjson.dumps(orjson.loads(str(row["raw"])))
    assert found, venue
    return found
