"""dYdX: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson

CONNECTION = b'"connection_id":"004a1efa-21bb-4b19-a2e9-a8ffadd6dc53"'
STANDING: dict[str, Any] = {
    "v4_orderbook": {"bids": [{"price": "43240.0", "size": "1.5"}], "asks": [{"price": "43250.0", "size": "1.2"}]},
    "v4_trades": {"trades": []},
    "v4_markets": {"markets": {"BTC-USD": {"ticker": "BTC-USD", "status": "ACTIVE"}}},
    "v4_block_height": {"height": "12345678", "time": "2026-11-22T00:00:00.000Z"},
}


def acks(asked: dict[str, Any]) -> list[bytes]:
    """The confirmation is the first data, and has no request's number."""
    name = {"id": asked["id"]} if "id" in asked else {}
    said = {"connection_id": "004a1efa", "message_id": 1, "channel": asked["channel"], **name}
    if asked["type"] == "unsubscribe":
        return [orjson.dumps({"type": "unsubscribed", **said})]
    return [orjson.dumps({"type": "subscribed", **said, "contents": STANDING[asked["channel"]]})]


PONGS: list[bytes] = []  # kept alive by WebSocket pings
REFUSAL = (
    b'{"type":"error","message":"Invalid subscription id for channel: (v4_orderbook-NOSUCH-USD)",'
    + CONNECTION
    + b',"message_id":1}'
)


def _subscribed(channel: bytes, contents: bytes, name: bytes = b'"id":"BTC-USD",') -> bytes:
    return b'{"type":"subscribed",%b,"message_id":1,"channel":"%b",%b"contents":%b}' % (
        CONNECTION,
        channel,
        name,
        contents,
    )


def _changed(channel: bytes, contents: bytes, name: bytes = b'"id":"BTC-USD",') -> bytes:
    return b'{"type":"channel_data",%b,"message_id":2,%b"channel":"%b","version":"1.0.0","contents":%b}' % (
        CONNECTION, name, channel, contents,
    )  # fmt: skip


TRADE = (
    b'{"trades":[{"id":"0165e5e40000000200000002","side":"SELL","size":"1.2","price":"43248.0","type":"%b",'
    b'"createdAt":"2026-11-22T00:00:01.000Z","createdAtHeight":"12345678"}]}'
)
MARKET = (
    b'{"clobPairId":"0","ticker":"BTC-USD","status":"ACTIVE","oraclePrice":"89919.2","trades24H":63065,'
    b'"nextFundingRate":"0.00000254545454545455","initialMarginFraction":"0.02","maintenanceMarginFraction":"0.012",'
    b'"openInterest":"381.7348","atomicResolution":-10,"tickSize":"1","stepSize":"0.0001","marketType":"CROSS"}'
)
GOOD: list[tuple[str, bytes]] = [
    (
        "v4_orderbook:BTC-USD",
        _subscribed(
            b"v4_orderbook", b'{"bids":[{"price":"43240.0","size":"1.5"}],"asks":[{"price":"43250.0","size":"1.2"}]}'
        ),
    ),
    ("v4_orderbook:BTC-USD", _changed(b"v4_orderbook", b'{"bids":[["43240.0","2.0"]],"asks":[["43250.0","0.0"]]}')),
    ("v4_trades:BTC-USD", _subscribed(b"v4_trades", TRADE % b"LIQUIDATED")),
    ("v4_trades:BTC-USD", _changed(b"v4_trades", TRADE % b"LIMIT")),
    ("v4_trades:BTC-USD", _changed(b"v4_trades", TRADE % b"DELEVERAGED")),
    ("v4_markets", _subscribed(b"v4_markets", b'{"markets":{"BTC-USD":%b}}' % MARKET, b"")),
    (
        "v4_markets",
        _changed(
            b"v4_markets",
            b'{"oraclePrices":{"BTC-USD":{"oraclePrice":"43300.00","effectiveAt":"2026-11-22T00:00:01.000Z",'
            b'"effectiveAtHeight":"12345679","marketId":0}}}',
            b"",
        ),
    ),
    (
        "v4_markets",
        _changed(b"v4_markets", b'{"trading":{"BTC-USD":{"status":"PAUSED","nextFundingRate":"0.0001"}}}', b""),
    ),
    (
        "v4_block_height",
        _changed(b"v4_block_height", b'{"blockHeight":"12345679","time":"2026-11-22T00:00:01.000Z"}', b""),
    ),
    ("rest:instruments", b'{"markets":{"BTC-USD":%b}}' % MARKET),
    ("rest:error", b'{"errors":[{"msg":"Too many requests"}]}'),
]
