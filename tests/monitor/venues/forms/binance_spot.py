"""Binance spot: its own words, for the tests that every venue passes. It has no cold channel."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    return [orjson.dumps({"result": None, "id": asked["id"]})]


PONGS: list[bytes] = []
REFUSAL = b'{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":4}'

GOOD: dict[str, bytes] = {
    "btcusdt@depth@100ms": b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":157,"u":160,'
    b'"b":[["83434.40","10"]],"a":[["83434.50","0.00000000"]]}}',
    "btcusdt@aggTrade": b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":12345,"p":"83434.40",'
    b'"q":"1.5","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}',
    "rest:instruments": b'{"timezone":"UTC","serverTime":1565246363776,"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",'
    b'"quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.00001"}]}]}',
    "rest:snapshot": b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}',
    "rest:poll:system": b'{"status":0,"msg":"normal"}',
    "rest:history:candles": b'[[1770285600000,"73000.0","73100.5","72950.1","73010.0","812.345",1770289199999,"59308112.7",4210,"401.2","29300000.1","0"],'
    b'[1770289200000,"73010.0","73020.0","72990.0","73015.5","10.5",1770292799999,"766000.1",60,"0","0","0"]]',
    "rest:error": b'{"code":-1121,"msg":"Invalid symbol."}',
}  # fmt: skip
