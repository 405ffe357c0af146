"""Bitget USDT perpetuals: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """One for each argument, without a number."""
    return [orjson.dumps({"event": asked["op"], "arg": arg, "connId": "00000001"}) for arg in asked["args"]]


PONGS: list[bytes] = [b"pong"]
REFUSAL = (
    b'{"event":"error","code":30001,"msg":"{\\"instType\\":\\"usdt-futures\\",\\"symbol\\":\\"NOPEUSDT\\",'
    b'\\"topic\\":\\"books\\"} doesn\'t exist","connId":"8f3a"}'
)

GOOD: dict[str, bytes] = {
    "books:BTCUSDT": b'{"action":"update","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"},"data":[{"a":[],"b":[["77230.1",'
    b'"1.5"]],"seq":427583480559,"pseq":427583461144,"ts":"1789456512452","maxdepth":"1000"}],"ts":1789456512454}',
    "publicTrade:BTCUSDT": b'{"action":"update","arg":{"instType":"usdt-futures","topic":"publicTrade","symbol":"BTCUSDT"},"data":[{"p":"77230.1",'
    b'"S":"buy","T":"1789456512452","v":"0.0118","i":"1260903622036942849","L":"1234568787878787878","isRPI":"no"}],"ts":1789456512454}',
    "ticker:BTCUSDT": b'{"action":"snapshot","arg":{"instType":"usdt-futures","topic":"ticker","symbol":"BTCUSDT"},"data":[{"lastPrice":"77230",'
    b'"markPrice":"77231.5","indexPrice":"77250","fundingRate":"0.0001","nextFundingTime":"1789459200000","openInterest":"30123.5"}],"ts":1789456512454}',
    "liquidation": b'{"action":"update","arg":{"instType":"usdt-futures","topic":"liquidation"},"data":[{"symbol":"BTCUSDT","side":"buy",'
    b'"price":"80000","amount":"40000","ts":"1789456512162"}],"ts":1789456512162}',
    "rest:instruments": b'{"code":"00000","msg":"success","requestTime":1789456512162,"data":[{"symbol":"BTCUSDT","category":"USDT-FUTURES","baseCoin":"BTC",'
    b'"quoteCoin":"USDT","priceMultiplier":"0.1","quantityMultiplier":"0.0001","status":"online","type":"perpetual","fundInterval":"8"}]}',
    "rest:poll": b'{"code":"00000","msg":"success","requestTime":1789456512162,"data":[{"tier":"1","minTierValue":"0","maxTierValue":"150000",'
    b'"leverage":"125","mmr":"0.004"}]}',
    "rest:error": b'{"code":"40034","msg":"Parameter category error","requestTime":1789456512162,"data":null}',
}  # fmt: skip
