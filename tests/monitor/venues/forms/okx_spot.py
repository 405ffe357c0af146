"""OKX spot: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    args = asked["args"]
    assert isinstance(args, list)
    return [orjson.dumps({"id": asked["id"], "event": asked["op"], "arg": arg, "connId": "a4d3ae55"}) for arg in args]


PONGS: list[bytes] = [b"pong"]
REFUSAL = (
    b'{"id":"4","event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:BTC-USDT doesn\'t exist."}'
)

GOOD: dict[str, bytes] = {
    "books:BTC-USDT": b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["67500.2","0","0","0"]],'
    b'"bids":[["67500.1","1.25","0","5"]],"ts":"1785096000130","checksum":0,"prevSeqId":450001,"seqId":450002}]}',
    "trades:BTC-USDT": b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9",'
    b'"sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}',
    "status": b'{"arg":{"channel":"status"},"data":[{"begin":"1672823400000","end":"","serviceType":"0","state":"ongoing","title":"t","env":"1",'
    b'"ts":"1672826038470"}]}',
    "instruments:SPOT": b'{"arg":{"channel":"instruments","instType":"SPOT"},"data":[{"instId":"BTC-USDT","state":"live"}]}',
    "rest:instruments": b'{"code":"0","data":[{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","settleCcy":"",'
    b'"ctVal":"","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","state":"live"}]}',
    "rest:deep": b'{"code":"0","msg":"","data":[{"asks":[["67500.2","12","3"]],"bids":[["67500.1","9.5","4"]],"ts":"1785096000123"}]}',
    "rest:history:candles": b'{"code":"0","msg":"","data":[["1770289200000","73010","73020","72990","73015.5","10.5","0.1","766.1","0"],'
    b'["1770285600000","73000","73100.5","72950.1","73010","812.345","59308112.7","59308112.7","1"]]}',
    "rest:error": b'{"code":"51001","msg":"no such instrument"}',
}  # fmt: skip
