"""Coinbase: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def advanced(channel: str, *events: object, number: int = 3) -> bytes:
    head = {"channel": channel, "client_id": "", "timestamp": "2026-08-24T22:34:13.813379359Z", "sequence_num": number}
    return orjson.dumps({**head, "events": list(events)})


def acks(asked: dict[str, Any]) -> list[bytes]:
    """Both feeds list everything the connection has: nothing after the only products were left."""
    leaving = asked["type"] == "unsubscribe"
    if "channel" in asked:
        active = {} if leaving else {asked["channel"]: asked["product_ids"]}
        return [advanced("subscriptions", {"subscriptions": active})]
    return [orjson.dumps({"type": "subscriptions", "channels": [] if leaving else asked["channels"]})]


PONGS: list[bytes] = []  # kept alive by heartbeats
REFUSAL = b'{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not a valid product"}'

ROW = {"event_time": "2026-08-24T22:34:13.592233Z"}
GOOD: list[tuple[str, bytes]] = [
    (
        "level2:BTC-USD",
        advanced(
            "l2_data",
            {
                "type": "snapshot",
                "product_id": "BTC-USD",
                "updates": [
                    {"side": "bid", **ROW, "price_level": "78856.05", "new_quantity": "0.0476177"},
                    {"side": "offer", **ROW, "price_level": "78856.06", "new_quantity": "0.08011579"},
                ],
            },
            number=1,
        ),
    ),
    (
        "matches:BTC-USD",
        b'{"type":"match","trade_id":995098700,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8",'
        b'"taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"sell","size":"0.0015","price":"78856.06",'
        b'"product_id":"BTC-USD","sequence":50,"time":"2026-08-24T22:34:13.793075Z"}',
    ),
    (
        "heartbeat:BTC-USD",
        b'{"type":"heartbeat","last_trade_id":995098700,"product_id":"BTC-USD","sequence":51,"time":"2026-08-24T22:34:14.793075Z"}',
    ),
    (
        "rest:instruments",
        b'{"products":[{"product_id":"BTC-USD","base_increment":"0.00000001","quote_increment":"0.01","price_increment":"0.01",'
        b'"base_currency_id":"BTC","quote_currency_id":"USD","status":"online","is_disabled":false,"cancel_only":false,"limit_only":true,'
        b'"post_only":false,"trading_disabled":false,"auction_mode":false,"product_type":"SPOT","alias":"","alias_to":["BTC-USDC"]}],'
        b'"num_products":1,"pagination":null}',
    ),
    (
        "rest:history:candles",
        b"[[1770289200,72990,73020,73010,73015.5,10.5],[1770285600,72950.1,73100.5,73000,73010,812.345]]",
    ),
    (
        "rest:error",
        b'{"error":"NOT_FOUND","error_details":"valid product_id is required","message":"valid product_id is required"}',
    ),
]
