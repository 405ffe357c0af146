"""Kraken Futures: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """One for the whole frame, without a number."""
    return [orjson.dumps({"event": f"{asked['event']}d", "feed": asked["feed"], "product_ids": asked["product_ids"]})]


PONGS: list[bytes] = []  # kept alive by WebSocket pings
REFUSAL = b'{"event":"alert","message":"Couldn\'t subscribe to invalid product `PF_NOTREALUSD`"}'

GOOD: list[tuple[str, bytes]] = [
    (
        "book:PF_XBTUSD",
        b'{"feed":"book_snapshot","product_id":"PF_XBTUSD","timestamp":1785076800123,"seq":326072249,"tickSize":null,'
        b'"bids":[{"price":90771.0,"qty":0.0113},{"price":90770.0,"qty":0.0}],"asks":[{"price":90772,"qty":2}]}',
    ),
    (
        "book:PF_XBTUSD",
        b'{"feed":"book","product_id":"PF_XBTUSD","side":"sell","seq":326072250,"price":90772,"qty":0.0,"timestamp":1785076800223}',
    ),
    (
        "trade:PF_XBTUSD",
        b'{"feed":"trade","product_id":"PF_XBTUSD","uid":"05af78ac-a774-478c-a50c-8b9c234e071e","side":"sell","type":"fill",'
        b'"seq":653355,"time":1785076800323,"qty":0.5,"price":90771.0}',
    ),
    (
        "trade:PF_XBTUSD",
        b'{"feed":"trade_snapshot","product_id":"PF_XBTUSD","trades":[{"feed":"trade","product_id":"PF_XBTUSD","uid":"2","side":"sell",'
        b'"type":"fill","seq":653354,"time":1785076800023,"qty":440,"price":34893}]}',
    ),
    (
        "trade:PF_XBTUSD",
        b'{"feed":"trade","product_id":"PF_XBTUSD","uid":"15af78ac-a774-478c-a50c-8b9c234e071e","side":"sell","type":"liquidation",'
        b'"seq":653356,"time":1785076800323,"qty":0.5,"price":90771.0}',
    ),
    (
        "ticker:PF_XBTUSD",
        b'{"time":1785076800406,"product_id":"PF_XBTUSD","funding_rate":-6.2604214e-11,"funding_rate_prediction":-3.65989977e-10,'
        b'"relative_funding_rate":-1.380384722222e-6,"relative_funding_rate_prediction":-8.047629166667e-6,'
        b'"next_funding_rate_time":1785078000000,"feed":"ticker","bid":90771.0,"ask":90772.0,"index":90771.54,"premium":-0.0,'
        b'"suspended":false,"tag":"perpetual","pair":"XBT:USD","openInterest":3007.258,"markPrice":90771.68641534714,"maturityTime":0,'
        b'"post_only":false}',
    ),
    (
        "rest:instruments",
        b'{"result":"success","instruments":[{"symbol":"PF_XBTUSD","type":"flexible_futures","tickSize":1,"contractSize":1,'
        b'"tradeable":true,"postOnly":false,"marginLevels":[{"numNonContractUnits":0.0,"initialMargin":0.02,"maintenanceMargin":0.01}],'
        b'"contractValueTradePrecision":4,"base":"BTC","quote":"USD","pair":"BTC:USD"}]}',
    ),
    (
        "rest:poll:status",
        b'{"result":"success","instrumentStatus":[{"tradeable":"PF_XBTUSD","experiencingDislocation":true,'
        b'"priceDislocationDirection":"ABOVE_UPPER_BOUND","experiencingExtremeVolatility":true,'
        b'"extremeVolatilityInitialMarginMultiplier":2}],"serverTime":"2026-11-22T00:34:37.524Z"}',
    ),
    (
        "rest:history:candles",
        b'{"candles":[{"time":1770285600000,"open":"73000.0","high":"73100.5","low":"72950.1","close":"73010","volume":"812.345"},'
        b'{"time":1770289200000,"open":"73010","high":"73020","low":"72990","close":"73015.5","volume":10.5}],"more_candles":false}',
    ),
    ("rest:error", b'{"result":"error","error":"apiLimitExceeded","serverTime":"2026-11-22T00:34:37.524Z"}'),
]
