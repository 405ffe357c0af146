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
    "rest:poll:long_short_ratio": b'[{"symbol":"BTCUSDT","longShortRatio":"0.1960","longAccount":"0.6622","shortAccount":"0.3378",'
    b'"timestamp":1591261042378}]',
    "rest:history:candles": b'[[1770285600000,"73000.0","73100.5","72950.1","73010.0","812.345",1770289199999,"59308112.7",4210,"401.2","29300000.1","0"],'
    b'[1770289200000,"73010.0","73020.0","72990.0","73015.5","10.5",1770292799999,"766000.1",60,"0","0","0"]]',
    "rest:error": b'{"code":-1121,"msg":"Invalid symbol."}',
}  # fmt: skip
