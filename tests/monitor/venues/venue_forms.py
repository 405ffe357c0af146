"""What the venue tests share: sample markets, each venue's own form of an ack, and captured frames as text."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import orjson

from monitor.facts import Instrument
from monitor.venues.base import Venue

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


def _binance_acks(asked: dict[str, object]) -> list[bytes]:
    return [orjson.dumps({"result": None, "id": asked["id"]})]


def _bybit_acks(asked: dict[str, object]) -> list[bytes]:
    return [
        orjson.dumps({"success": True, "ret_msg": "", "conn_id": "c", "req_id": asked["req_id"], "op": asked["op"]})
    ]


def _okx_acks(asked: dict[str, object]) -> list[bytes]:
    args = asked["args"]
    assert isinstance(args, list)
    return [orjson.dumps({"id": asked["id"], "event": asked["op"], "arg": arg, "connId": "a4d3ae55"}) for arg in args]


# From a parsed subscribe (or unsubscribe) frame to the frames in which the venue confirms it: one line for each new venue.
ACKS: dict[str, Callable[[dict[str, object]], list[bytes]]] = {
    "binance_usdm": _binance_acks,
    "bybit_linear": _bybit_acks,
    "okx_swap": _okx_acks,
}

# The answers to our ping, of venues that are pinged in the application layer.
PONGS: dict[str, list[bytes]] = {
    "bybit_linear": [
        b'{"success":true,"ret_msg":"pong","conn_id":"465772b1","req_id":"ping","op":"ping"}',
        b'{"req_id":"ping","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0"}',
    ],
    "okx_swap": [b"pong"],
}
# A refused subscription of request 4.
REFUSALS: dict[str, bytes] = {
    "binance_usdm": b'{"code":2,"msg":"Invalid request: unknown variant","id":4}',
    "bybit_linear": b'{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.BTCUSDT","req_id":"4","op":"subscribe"}',
    "okx_swap": b'{"id":"4","event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:BTC-USDT-SWAP doesn\'t exist."}',
}


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
