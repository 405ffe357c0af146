"""Binance COIN-M: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    return [orjson.dumps({"result": None, "id": asked["id"]})]


PONGS: list[bytes] = []
REFUSAL = b'{"code":2,"msg":"Invalid request: unknown variant","id":4}'

GOOD: dict[str, bytes] = {
    "btcusd_perp@depth@100ms": b'{"stream":"btcusd_perp@depth@100ms","data":{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSD_PERP",'
    b'"ps":"BTCUSD","st":2,"U":157,"u":160,"pu":149,"b":[["83434.4","10"]],"a":[["83434.5","0"]]}}',
    "btcusd_perp@aggTrade": b'{"stream":"btcusd_perp@aggTrade","data":{"e":"aggTrade","E":123456789,"a":5933014,"s":"BTCUSD_PERP",'
    b'"p":"83434.4","q":"100","f":100,"l":105,"T":123456785,"m":true,"st":2}}',
    "btcusd_perp@markPrice@1s": b'{"stream":"btcusd_perp@markPrice@1s","data":{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSD_PERP",'
    b'"p":"11794.1","P":"1","r":"0.0003","T":1562306400000}}',
    "btcusd@indexPrice@1s": b'{"stream":"btcusd@indexPrice@1s","data":{"e":"indexPriceUpdate","E":1592265601001,"i":"BTCUSD","p":"9429.39"}}',
    "btcusd_perp@forceOrder": b'{"stream":"btcusd_perp@forceOrder","data":{"e":"forceOrder","E":1,"o":{"s":"BTCUSD_PERP","ps":"BTCUSD",'
    b'"S":"SELL","q":"3","p":"9314.5","ap":"9352.7","X":"FILLED","l":"3","z":"3","T":1594622954021},"st":2}}',
    "!contractInfo": b'{"stream":"!contractInfo","data":{"e":"contractInfo","E":1669356423908,"s":"ADAUSD_PERP","ps":"ADAUSD","cs":"TRADING",'
    b'"bks":[{"bs":1,"bnf":0,"bnc":5000,"mmr":0.01,"cf":0,"mi":21,"ma":50}],"st":2}}',
    "rest:instruments": b'{"symbols":[{"symbol":"BTCUSD_PERP","pair":"BTCUSD","contractType":"PERPETUAL","contractStatus":"TRADING",'
    b'"contractSize":100,"baseAsset":"BTC","quoteAsset":"USD","marginAsset":"BTC","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},'
    b'{"filterType":"LOT_SIZE","stepSize":"1"}]}]}',
    "rest:instruments:first": b'[{"symbol":"BTCUSD_PERP","fundingIntervalHours":4}]',
    "rest:snapshot": b'{"lastUpdateId":16769853,"symbol":"BTCUSD_PERP","pair":"BTCUSD","E":1591250106370,"T":1591250106368,'
    b'"bids":[["9638.0","431"]],"asks":[["9638.2","12"]]}',
    "rest:poll": b'{"symbol":"BTCUSD_PERP","pair":"BTCUSD","openInterest":"15004","contractType":"PERPETUAL","time":1591261042378}',
    "rest:history:candles": b'[[1770285600000,"73000.0","73100.5","72950.1","73010.0","812345",1770289199999,"1112.7",4210,"401200","549.6","0"],'
    b'[1770289200000,"73010.0","73020.0","72990.0","73015.5","10500",1770292799999,"14.4",60,"0","0","0"]]',
    "rest:error": b'{"code":-1121,"msg":"Invalid symbol."}',
}  # fmt: skip
