"""Bybit linear: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    return [
        orjson.dumps({"success": True, "ret_msg": "", "conn_id": "c", "req_id": asked["req_id"], "op": asked["op"]})
    ]


PONGS: list[bytes] = [
    b'{"success":true,"ret_msg":"pong","conn_id":"465772b1","req_id":"ping","op":"ping"}',
    b'{"req_id":"ping","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0"}',
]
REFUSAL = (
    b'{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.BTCUSDT","req_id":"4","op":"subscribe"}'
)

GOOD: dict[str, bytes] = {
    "tickers.BTCUSDT": b'{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"1.5","indexPrice":"2",'
    b'"fundingRate":"0.1","nextFundingTime":"1673280000000","fundingIntervalHour":"8","singleOpenInterest":"5"},"cs":2,"ts":1673272861686}',
    "allLiquidation.BTCUSDT": b'{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
    b'"s":"BTCUSDT","S":"Sell","v":"20000","p":"0.04499"}]}',
    "rest:instruments": b'{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSDT","status":"Trading","baseCoin":"BTC","quoteCoin":'
    b'"USDT","settleCoin":"USDT","priceFilter":{"tickSize":"0.1"},"lotSizeFilter":{"qtyStep":"1"},"fundingInterval":480}],"nextPageCursor":"a"}}',
    "rest:poll:margin_tiers": b'{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"id":1,"symbol":"BTCUSDT",'
    b'"riskLimitValue":"2000000","maintenanceMargin":"0.005","initialMargin":"0.01","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""},'
    b'{"id":2,"symbol":"BTCUSDT","riskLimitValue":"2600000","maintenanceMargin":"0.0056","initialMargin":"0.0111","isLowestRisk":0,'
    b'"maxLeverage":"90.00","mmDeduction":"1200"}],"nextPageCursor":""},"time":1672054488010}',
    "rest:poll:status": b'{"retCode":0,"retMsg":"","result":{"list":[{"id":"4d95","title":"t06","state":"scheduled","begin":'
    b'"1751596902000","end":"1751597011000","serviceTypes":[5],"product":[1],"maintainType":1,"env":1}]},"time":1751858399649}',
    "rest:history:candles": b'{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"linear","list":[["1770289200000","73010",'
    b'"73020","72990","73015.5","10.5","766000.1"],["1770285600000","73000","73100.5","72950.1","73010","812.345","59308112.7"]]},"time":1770290000000}',
    "rest:poll:long_short_ratio": b'{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSDT","buyRatio":"0.5777","sellRatio":"0.4223",'
    b'"timestamp":"1695772800000"}]},"time":1695785131028}',
    "rest:error": b'{"retCode":10001,"retMsg":"params error"}',
}  # fmt: skip
