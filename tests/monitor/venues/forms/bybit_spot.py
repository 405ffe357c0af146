"""Bybit spot: its own words, for the tests that every venue passes."""

from __future__ import annotations

import orjson


def acks(asked: dict[str, object]) -> list[bytes]:
    """Spot says the operation where the others say nothing."""
    return [
        orjson.dumps(
            {"success": True, "ret_msg": asked["op"], "conn_id": "c", "req_id": asked["req_id"], "op": asked["op"]}
        )
    ]


PONGS: list[bytes] = [
    b'{"success":true,"ret_msg":"pong","conn_id":"465772b1","req_id":"ping","op":"ping"}',
    b'{"req_id":"ping","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0"}',
]
REFUSAL = (
    b'{"success":false,"ret_msg":"error:handler not found,topic:orderbook.full.BTCUSDT","req_id":"4","op":"subscribe"}'
)

GOOD: dict[str, bytes] = {
    "orderbook.full.BTCUSDT": b'{"topic":"orderbook.full.BTCUSDT","ts":1784103477732,"type":"delta","data":{"s":"BTCUSDT","b":['
    b'["62998.1","0.4"],["62998","0"]],"a":[["62998.2","0.2"]],"u":439926,"seq":2164890099},"cts":1784103477730}',
    "orderbook.50.BTCUSDT": b'{"topic":"orderbook.50.BTCUSDT","ts":1787612486096,"type":"snapshot","data":{"s":"BTCUSDT","b":['
    b'["78715","1.27"]],"a":[["78715.1","0.02"]],"u":217107084,"seq":113099229600},"cts":1787612486090}',
    "publicTrade.BTCUSDT": b'{"topic":"publicTrade.BTCUSDT","ts":1784103477740,"type":"snapshot","data":[{"i":"2290000000055",'
    b'"T":1784103477738,"p":"62998.2","v":"0.01","S":"Buy","s":"BTCUSDT","BT":false,"RPI":false,"seq":2164890100}]}',
    "system.status": b'{"topic":"system.status","ts":1751858399649,"data":[{"id":"4d95","title":"t06","state":"ongoing","begin":'
    b'"1751596902000","end":"","href":"","serviceTypes":[2,5],"product":[1,2],"uidSuffix":[],"maintainType":1,"env":1}]}',
    "rest:instruments": b'{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":'
    b'"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001"},"priceFilter":{"tickSize":"0.1"}}]},"time":1}',
    "rest:snapshot": b'{"retCode":0,"retMsg":"OK","result":{"s":"BTCUSDT","a":[["62998.2","0.198738"]],"b":[["62998.1","0.396837"]],'
    b'"ts":1784103578352,"u":439925,"seq":2164890076,"cts":1784103578350},"retExtInfo":{},"time":1784103579732}',
    "rest:poll:status": b'{"retCode":0,"retMsg":"","result":{"list":[{"id":"4d95","title":"t06","state":"scheduled","begin":'
    b'"1751596902000","end":"1751597011000","serviceTypes":[5],"product":[2],"maintainType":1,"env":1}]},"time":1751858399649}',
    "rest:history:candles": b'{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"spot","list":[["1770289200000","73010",'
    b'"73020","72990","73015.5","10.5","766000.1"],["1770285600000","73000","73100.5","72950.1","73010","812.345","59308112.7"]]},"time":1770290000000}',
    "rest:error": b'{"retCode":10001,"retMsg":"params error"}',
}  # fmt: skip
