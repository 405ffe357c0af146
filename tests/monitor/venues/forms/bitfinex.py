"""Bitfinex: its own words, for the tests that every venue passes. Data frames carry a number in place of their topic."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    if asked["event"] == "unsubscribe":
        return [orjson.dumps({"event": "unsubscribed", "status": "OK", "chanId": asked["chanId"]})]
    pair = {"pair": asked["symbol"].removeprefix("t")} if "symbol" in asked else {}
    return [orjson.dumps({**asked, "event": "subscribed", "chanId": 943592, **pair})]


PONGS: list[bytes] = [b'{"event":"pong","ts":1790133734000,"cid":1}']
REFUSAL = (
    b'{"channel":"book","symbol":"tNOPEF0:USTF0","prec":"P0","freq":"F0","len":"250","event":"error","msg":"symbol: invalid",'
    b'"code":10300,"pair":"NOPEF0:USTF0"}'
)

DERIV = (
    b"[759363,[1790133734000,null,86710.46123944,86670.5,null,62210384.95685668,null,1790150400000,0.00015317,3873,null,-1.4e-7,"
    b"null,null,86676.3172,null,null,8851.89352831,null,null,null,0.0005,0.0025],41]"
)
GOOD: list[tuple[str, bytes]] = [
    ("book:P0:250:tBTCF0:USTF0", b"[759362,[[86704,1,0.03460649],[86701,2,1e-7],[86719,2,-0.03483509]],2]"),
    ("status:deriv:tBTCF0:USTF0", DERIV),
    (
        "status:liq:global",
        b'[91684,[["pos",142397657,1790133734828.25,null,"tBTCF0:USTF0",-2.62932,91580,null,0,1,null,null]],42]',
    ),
    ("trades:tBTCF0:USTF0", b'[17470,"te",[401597395,1790133734808,0.005,86710.3],43]'),
    (
        "rest:instruments",
        b'[["tBTCF0:USTF0",86704,12.5,86705,11.25,-120,-0.0014,86704,3120.5,88100,85900],["fUSD",0.0001,0.0002,30,1,0.0003,2,1,0,0,'
        b'0.0002,1,0.0003,0.0001,null,null,1],["tTESTBTC:TESTUSD",60400,1,60406,1,0,0,60410,1,62408,60057]]',
    ),
    ("rest:poll:platform", b"[1]"),
    (
        "rest:poll:margin_tiers",
        b'[[["BTCF0:USTF0",[null,null,null,"0.00004","100",null,null,null,0.01,0.005]]]]',
    ),
    ("rest:error", b'["error",10020,"symbol: invalid"]'),
]
