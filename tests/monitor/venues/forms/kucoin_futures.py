"""KuCoin Futures: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """The newer socket's result, the older one's ack; one for the one topic of the frame."""
    said = {"result": True} if "action" in asked else {"type": "ack"}
    return [orjson.dumps({"id": asked["id"], **said})]


PONGS: list[bytes] = [
    b'{"type":"pong","id":"0","ts":1790113111261396000}',
    b'{"id":"0","type":"pong","timestamp":1790113097236506}',
]
REFUSAL = b'{"id":"4","result":false,"reason":"topic Obu type = \\"public_spot\\" not allowed in current environment"}'

GOOD: list[tuple[str, bytes]] = [
    (
        "obu:XBTUSDTM",
        b'{"T":"obu.FUTURES","dp":"increment@10ms","t":"delta","P":1790114459840641662,"d":{"a":[],"b":[["85973.3","16236"],'
        b'["85887.1","0"]],"C":1747821262585,"s":"XBTUSDTM","M":1790114459839000000,"O":1747821262584}}',
    ),
    (
        "trade:XBTUSDTM",
        b'{"T":"trade.FUTURES","P":1790114459840641662,"d":{"p":"85973.3","q":"12","s":"XBTUSDTM","S":"buy","E":1905973690439,'
        b'"ti":"1905973690439","rpi":false,"M":1790114459839000000}}',
    ),
    (
        "/contract/instrument:XBTUSDTM",
        b'{"topic":"/contract/instrument:XBTUSDTM","type":"message","subject":"mark.index.price","data":{"markPrice":86201.79,'
        b'"indexPrice":86248.81,"granularity":1000,"timestamp":1790113097000}}',
    ),
    (
        "rest:instruments",
        b'{"code":"200000","data":[{"symbol":"XBTUSDTM","type":"FFWCSX","status":"Open","baseCurrency":"XBT","quoteCurrency":"USDT",'
        b'"settleCurrency":"USDT","multiplier":0.001,"lotSize":1,"tickSize":0.1,"isInverse":false,"markPrice":86201.79,"indexPrice":86248.81,'
        b'"fundingFeeRate":-7.6E-5,"fundingRateGranularity":28800000,"nextFundingRateTime":8502221,"nextFundingRateDateTime":1790121600000,'
        b'"openInterest":"11481754","maxLeverage":125,"marketStage":"NORMAL"}]}',
    ),
    ("rest:poll:status", b'{"code":"200000","data":{"status":"open","msg":""}}'),
    (
        "rest:poll:tiers",
        b'{"code":"200000","data":[{"symbol":"XBTUSDTM","level":1,"maxRiskLimit":100000,"minRiskLimit":0,"maxLeverage":125,'
        b'"initialMargin":0.008,"maintainMargin":0.004},{"symbol":"XBTUSDTM","level":2,"maxRiskLimit":500000,"minRiskLimit":100000,'
        b'"maxLeverage":100,"initialMargin":0.01,"maintainMargin":0.005}]}',
    ),
    (
        "rest:address",
        b'{"code":"200000","data":{"token":"2neAiuYv.rIAVDSL657g7mnAiHkH5aA==","instanceServers":[{"endpoint":'
        b'"wss://ws-api-futures.kucoin.com/","encrypt":true,"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}',
    ),
    ("rest:error", b'{"code":"429000","msg":"Too Many Requests"}'),
]
