"""Kraken spot: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson

TIMES = {"time_in": "2026-11-22T09:04:31.742599Z", "time_out": "2026-11-22T09:04:31.742648Z"}
STATUS = (
    b'{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",'
    b'"connection_id":13834774380200032777}]}'
)


def acks(asked: dict[str, Any]) -> list[bytes]:
    """One for each pair. Where the list of pairs is asked for, the status has come by itself."""
    params = asked["params"]
    results = [{**params, "symbol": symbol} for symbol in params["symbol"]] if "symbol" in params else [params]
    said = [
        orjson.dumps({"method": asked["method"], "result": each, "success": True, **TIMES, "req_id": asked["req_id"]})
        for each in results
    ]
    return said if "symbol" in params else [STATUS, *said]


PONGS: list[bytes] = [
    b'{"method":"pong","req_id":101,"time_in":"2026-09-25T09:05:00.123456Z","time_out":"2026-09-25T09:05:00.123460Z"}',
    b'{"method":"pong","time_in":"2026-09-25T09:05:00.123456Z","time_out":"2026-09-25T09:05:00.123460Z"}',
]
REFUSAL = (
    b'{"error":"Currency pair not supported BTC/XYZ","method":"subscribe","req_id":4,"success":false,"symbol":"BTC/XYZ",'
    b'"time_in":"2026-11-22T09:04:31.742599Z","time_out":"2026-11-22T09:04:31.742648Z"}'
)

GOOD: list[tuple[str, bytes]] = [
    (
        "book:BTC/USD",
        b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.10000000}],'
        b'"asks":[{"price":45285.2,"qty":0.00100000}],"checksum":3310070434,"timestamp":"2026-10-06T17:35:55.440295Z"}]}',
    ),
    (
        "book:BTC/USD",
        b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.00000000},'
        b'{"price":45283.4,"qty":1.50000000}],"asks":[],"checksum":2114181697,"timestamp":"2026-10-06T17:35:55.540295Z"}]}',
    ),
    (
        "trade:BTC/USD",
        b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.2,"qty":0.00027625,'
        b'"ord_type":"limit","trade_id":10218208,"timestamp":"2026-10-06T17:35:55.440295Z"}]}',
    ),
    ("status", STATUS),
    (
        "instrument",
        b'{"channel":"instrument","type":"update","data":{"assets":[],"pairs":[{"symbol":"EUR/USD","base":"EUR","quote":"USD",'
        b'"status":"cancel_only","qty_precision":8,"price_precision":5,"qty_increment":1e-08,"price_increment":1e-05}]}}',
    ),
    (
        "rest:instruments",
        b'{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","pair_decimals":1,'
        b'"lot_decimals":8,"tick_size":"0.1","status":"online"}}}',
    ),
    (
        "rest:poll",
        b'{"error":[],"result":{"status":"online","timestamp":"2026-11-22T00:17:10Z","upcoming_maintenance":[{"window":"soon"}],'
        b'"emergency":[]}}',
    ),
    ("rest:error", b'{"error":["EQuery:Unknown asset pair"]}'),
]
