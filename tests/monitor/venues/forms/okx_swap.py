"""OKX swaps: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    args = asked["args"]
    assert isinstance(args, list)
    return [orjson.dumps({"id": asked["id"], "event": asked["op"], "arg": arg, "connId": "a4d3ae55"}) for arg in args]


PONGS: list[bytes] = [b"pong"]
REFUSAL = b'{"id":"4","event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:BTC-USDT-SWAP doesn\'t exist."}'

GOOD: dict[str, bytes] = {
    "mark-price:BTC-USDT-SWAP": b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","markPx":"1",'
    b'"oi":"5","fundingRate":"0.1","fundingTime":"1785110400000","nextFundingTime":"1785139200000","ts":"1785096000123"}]}',
    "index-tickers:BTC-USDT": b'{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","idxPx":"1","ts":"15"}]}',
    "liquidation-orders:SWAP": b'{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkPx":"0.007831","posSide":'
    b'"short","side":"buy","sz":"13","ts":"1692266434010"}],"instFamily":"IOST-USDT","instId":"IOST-USDT-SWAP","instType":"SWAP"}]}',
    "status": b'{"arg":{"channel":"status"},"data":[{"begin":"1672823400000","end":"","serviceType":"0","state":"ongoing","title":"t","env":"1",'
    b'"ts":"1672826038470"}]}',
    "instruments:SWAP": b'{"arg":{"channel":"instruments","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","state":"live"}]}',
    "rest:instruments": b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instFamily":"BTC-USDT","ctType":"linear","ctVal":"0.01","ctValCcy":"BTC",'
    b'"ctMult":"1","settleCcy":"USDT","tickSz":"0.1","lotSz":"1","state":"live"}]}',
    "rest:poll:margin_tiers": b'{"code":"0","msg":"","data":[{"instFamily":"BTC-USDT","tier":"1","minSz":"0","maxSz":"500","mmr":"0.004",'
    b'"imr":"0.01","maxLever":"100"},{"instFamily":"BTC-USDT","tier":"2","minSz":"501","maxSz":"1000","mmr":"0.005","imr":"0.0125","maxLever":"80"}]}',
    "rest:history:candles": b'{"code":"0","msg":"","data":[["1770289200000","73010","73020","72990","73015.5","10.5","0.1","766.1","0"],'
    b'["1770285600000","73000","73100.5","72950.1","73010","81234.5","812.345","59308112.7","1"]]}',
    "rest:poll:long_short_ratio": b'{"code":"0","msg":"","data":[["1770285600000","1.3702"]]}',
    "rest:error": b'{"code":"51001","msg":"no such instrument"}',
}  # fmt: skip
