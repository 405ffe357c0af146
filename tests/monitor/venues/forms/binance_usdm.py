"""Binance USD-M: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    return [orjson.dumps({"result": None, "id": asked["id"]})]


PONGS: list[bytes] = []
REFUSAL = b'{"code":2,"msg":"Invalid request: unknown variant","id":4}'

GOOD: dict[str, bytes] = {
    "btcusdt@markPrice@1s": b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT",'
    b'"p":"11794.1","i":"11784.6","P":"1","r":"0.0003","T":1562306400000,"st":1}}',
    "btcusdt@forceOrder": b'{"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"SELL","q":"1",'
    b'"p":"9910","ap":"9911","X":"FILLED","l":"1","z":"1","T":1568014460893},"st":1}}',
    "raw:btcusdt@forceOrder": b'{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"BUY","p":"9","ap":"0","X":"FILLED","z":"1","T":15}}',
    "!contractInfo": b'{"stream":"!contractInfo","data":{"e":"contractInfo","E":1669356423908,"s":"IOTAUSDT","cs":"TRADING"}}',
    "rest:instruments": b'{"symbols":[{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":'
    b'"USDT","marginAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1"}]}]}',
    "rest:instruments:first": b'[{"symbol":"BLZUSDT","fundingIntervalHours":4}]',
    "rest:poll": b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}',
    "rest:error": b'{"code":-1121,"msg":"Invalid symbol."}',
}  # fmt: skip
