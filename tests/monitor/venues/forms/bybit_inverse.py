"""Bybit inverse: its own words, for the tests that every venue passes."""

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
    b'{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.BTCUSD","req_id":"4","op":"subscribe"}'
)

GOOD: dict[str, bytes] = {
    "orderbook.1000.BTCUSD": b'{"topic":"orderbook.1000.BTCUSD","type":"delta","ts":1687940967466,"data":{"s":"BTCUSD","b":['
    b'["30247.20","30028"],["30240.00","0"]],"a":[["30248.70","0"]],"u":177400507,"seq":66544703342},"cts":1687940967464}',
    "publicTrade.BTCUSD": b'{"topic":"publicTrade.BTCUSD","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,'
    b'"s":"BTCUSD","S":"Sell","v":"100","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd","BT":false}]}',
    "tickers.BTCUSD": b'{"topic":"tickers.BTCUSD","type":"snapshot","data":{"symbol":"BTCUSD","markPrice":"1.5","indexPrice":"2",'
    b'"fundingRate":"0.1","nextFundingTime":"1673280000000","fundingIntervalHour":"8","singleOpenInterest":"5"},"cs":2,"ts":1673272861686}',
    "allLiquidation.BTCUSD": b'{"topic":"allLiquidation.BTCUSD","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
    b'"s":"BTCUSD","S":"Buy","v":"20000","p":"60449.5"}]}',
    "system.status": b'{"topic":"system.status","ts":1751858399649,"data":[{"id":"4d95","title":"t06","state":"ongoing","begin":'
    b'"1751596902000","end":"","href":"","serviceTypes":[2,5],"product":[1,2],"uidSuffix":[],"maintainType":1,"env":1}]}',
    "rest:instruments": b'{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSD","status":"Trading","baseCoin":"BTC","quoteCoin":'
    b'"USD","settleCoin":"BTC","priceFilter":{"tickSize":"0.5"},"lotSizeFilter":{"qtyStep":"1"},"fundingInterval":480}],"nextPageCursor":"a"}}',
    "rest:poll:margin_tiers": b'{"retCode":0,"retMsg":"OK","result":{"category":"inverse","list":[{"id":1,"symbol":"BTCUSD",'
    b'"riskLimitValue":"150","maintenanceMargin":"0.5","initialMargin":"1","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""}]},'
    b'"time":1672054488010}',
    "rest:poll:status": b'{"retCode":0,"retMsg":"","result":{"list":[{"id":"4d95","title":"t06","state":"scheduled","begin":'
    b'"1751596902000","end":"1751597011000","serviceTypes":[5],"product":[1],"maintainType":1,"env":1}]},"time":1751858399649}',
    "rest:history:candles": b'{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSD","category":"inverse","list":[["1770289200000","73010",'
    b'"73020","72990","73015.5","10.5","766000.1"],["1770285600000","73000","73100.5","72950.1","73010","59308112","812.345"]]},"time":1770290000000}',
    "rest:poll:long_short_ratio": b'{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSD","buyRatio":"0.5777","sellRatio":"0.4223",'
    b'"timestamp":"1695772800000"}]},"time":1695785131028}',
    "rest:error": b'{"retCode":10001,"retMsg":"params error"}',
}  # fmt: skip
