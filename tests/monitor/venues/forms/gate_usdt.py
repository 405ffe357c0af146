"""Gate USDT perpetuals: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """One for the frame, with the payload repeated."""
    said = {name: asked[name] for name in ("channel", "event", "payload")}
    return [orjson.dumps({"time": 1789456334, "time_ms": 1789456334999, **said, "result": {"status": "success"}})]


PONGS: list[bytes] = [
    b'{"time":1789456354,"time_ms":1789456354123,"conn_id":"c59a69fd","channel":"futures.pong","event":"","result":null}'
]
REFUSAL = (
    b'{"time":1789456334,"channel":"futures.trades","event":"subscribe","payload":["NOPE_USDT"],'
    b'"error":{"code":2,"message":"unknown currency pair NOPE_USDT"},"result":{"status":"fail"}}'
)

GOOD: dict[str, bytes] = {
    "futures.obu:ob.BTC_USDT.400": b'{"time":1789455580,"time_ms":1789455580280,"channel":"futures.obu","event":"update","result":{"t":1789455580280,'
    b'"s":"ob.BTC_USDT.400","U":125033675975,"u":125033676003,"b":[["77222.9","648"]],"a":[["77235","50"],["77235.2","0"]]}}',
    "futures.trades:BTC_USDT": b'{"time":1789455580,"time_ms":1789455580281,"channel":"futures.trades","event":"update","result":[{"id":27753479,'
    b'"contract":"BTC_USDT","create_time":1789455580,"create_time_ms":1789455580280,"price":"77230","size":"-108","is_internal":false}]}',
    "futures.tickers:BTC_USDT": b'{"time":1789456337,"time_ms":1789456337808,"channel":"futures.tickers","event":"update","result":[{"contract":"BTC_USDT",'
    b'"last":"77175.1","mark_price":"77183.5","index_price":"77221.8","funding_rate":"0.000072","funding_interval":28800,'
    b'"funding_next_apply":1789459200,"total_size":"123456","t":1789456337802}]}',
    "futures.public_liquidates:!all": b'{"time":1789456337,"time_ms":1789456337123,"channel":"futures.public_liquidates","event":"update","result":['
    b'{"price":"215.1","size":"-124.5","time":1789456336123,"contract":"SOL_USDT"},{"price":"77000","size":"10","time":1789456336456,"contract":"BTC_USDT"}]}',
    "rest:instruments": b'[{"name":"BTC_USDT","type":"direct","quanto_multiplier":"0.0001","order_price_round":"0.1","order_size_min":1,"enable_decimal":false,'
    b'"funding_interval":28800,"status":"trading","in_delisting":false}]',
    "rest:poll": b'[{"tier":1,"risk_limit":"1000000","initial_rate":"0.01","maintenance_rate":"0.005","leverage_max":"100","contract":"BTC_USDT","deduction":"0"}]',
    "rest:history:candles": b'[{"t":1770285600,"v":"812345.5","c":"73010","h":"73100.5","l":"72950.1","o":"73000","sum":"59308112.7"},'
    b'{"t":1770289200,"v":10,"c":"73015.5","h":"73020","l":"72990","o":"73010","sum":"73.0"}]',
    "rest:error": b'{"label":"CONTRACT_NOT_FOUND","message":"contract not found"}',
}  # fmt: skip
