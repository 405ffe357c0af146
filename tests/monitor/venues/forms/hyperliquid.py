"""Hyperliquid: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """What was asked, with null for what was not said; no number."""
    subscription = dict(asked["subscription"])
    if subscription["type"] == "l2Book":
        subscription = {"nSigFigs": None, "mantissa": None, "fast": False, **subscription}
    if subscription["type"] == "userFills":
        subscription["aggregateByTime"] = None
    answer = {"method": asked["method"], "subscription": subscription}
    return [orjson.dumps({"channel": "subscriptionResponse", "data": answer})]


PONGS: list[bytes] = [b'{"channel":"pong"}']
REFUSAL = (
    b'{"channel":"error","data":"Error parsing JSON into valid websocket request: {\\"method\\":\\"subscribe\\",'
    b'\\"subscription\\":{\\"type\\":\\"trades\\",\\"coin\\":\\"BTC\\"}}"}'
)
VAULT = "0x010461c14e146ac35fe42271bdc1134ee31c703a"

GOOD: list[tuple[str, bytes]] = [
    (
        "l2Book.fast:BTC",
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1790232236546,"levels":[[{"px":"84143.0","sz":"10.25923","n":36},'
        b'{"px":"84142.0","sz":"1.65875","n":7}],[{"px":"84144.0","sz":"50.66449","n":18}]],"fast":true}}',
    ),
    (
        "l2Book.3:BTC",
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1790232236546,"levels":[[{"px":"84100.0","sz":"210.25923","n":360}],'
        b'[{"px":"84200.0","sz":"250.66449","n":180}]]}}',
    ),
    (
        "trades:BTC",
        b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"84143.0","sz":"0.00036","time":1790232216193,"hash":"0x7ab6",'
        b'"tid":1045359869404765,"users":["0x9aa5","0x8269"]}]}',
    ),
    (
        "activeAssetCtx:BTC",
        b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000018952","openInterest":"36585.31848",'
        b'"prevDayPx":"86627.0","dayNtlVlm":"4161029539.69","premium":"-0.0006413454","oraclePx":"84198.0","markPx":"84148.0",'
        b'"midPx":null,"impactPxs":null,"dayBaseVlm":"49116.08533"}}}',
    ),
    (
        f"userFills:{VAULT}",
        b'{"channel":"userFills","data":{"user":"%s","fills":[{"coin":"BTC","px":"66653.0","sz":"0.001","side":"A",'
        b'"time":1781528065899,"startPosition":"-0.0213","dir":"Open Short","closedPnl":"0.0","hash":"0xe29f","oid":55030848197,'
        b'"crossed":false,"fee":"0.009997","tid":745210434703679,"liquidation":{"liquidatedUser":'
        b'"0x360878d351f05975e25f1807a27895e1e5e004fb","markPx":"66607.0","method":"market"},"feeToken":"USDC"}]}}'
        % VAULT.encode(),
    ),
    (
        "rest:instruments",
        b'{"universe":[{"name":"BTC","szDecimals":5,"maxLeverage":40,"marginTableId":56},{"name":"kPEPE","szDecimals":0,'
        b'"maxLeverage":10,"marginTableId":10},{"name":"MATIC","szDecimals":1,"maxLeverage":20,"marginTableId":20,'
        b'"isDelisted":true}],"marginTables":[[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},'
        b'{"lowerBound":"150000000.0","maxLeverage":20}]}]],"collateralToken":0}',
    ),
    ("rest:poll:status", b'{"specialStatuses":["halted"],"time":1783730719629}'),
    (
        "rest:history:candles",
        b'[{"t":1770285600000,"T":1770289199999,"s":"BTC","i":"1h","o":"73000.0","c":"73010.0","h":"73100.5","l":"72950.1",'
        b'"v":"812.345","n":4210},{"t":1770289200000,"T":1770292799999,"s":"BTC","i":"1h","o":"73010.0","c":"73015.5",'
        b'"h":"73020.0","l":"72990.0","v":"10.5","n":60}]',
    ),
]
