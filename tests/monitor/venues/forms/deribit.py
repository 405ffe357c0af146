"""Deribit: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """One for the whole call, in an order of the venue's own."""
    channels = sorted(asked["params"]["channels"], reverse=True)
    return [
        orjson.dumps(
            {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": channels,
                "usIn": 1790133840886000,
                "usOut": 1790133840887519,
                "usDiff": 1519,
                "testnet": False,
            }
        )
    ]


PONGS: list[bytes] = []  # the venue asks, we answer
REFUSAL = (
    b'{"jsonrpc":"2.0","id":4,"error":{"code":13778,"message":"raw_subscriptions_not_available_for_unauthorized",'
    b'"data":null},"usIn":1,"usOut":2,"usDiff":1,"testnet":false}'
)


def said(channel: str, data: str) -> tuple[str, bytes]:
    frame = f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}'
    return channel, frame.encode()


GOOD: list[tuple[str, bytes]] = [
    said(
        "book.ETH-PERPETUAL.100ms",
        '{"timestamp":1790133840638,"type":"snapshot","change_id":136069961946,"instrument_name":"ETH-PERPETUAL",'
        '"bids":[["new",2772.65,2700],["new",2772.6,7.414e3]],"asks":[["new",2772.7,53]]}',
    ),
    said(
        "book.SOL_USDC-PERPETUAL.100ms",
        '{"timestamp":1790133842703,"type":"change","change_id":193809634213,"instrument_name":"SOL_USDC-PERPETUAL",'
        '"bids":[["new",92.11,10.0],["delete",92.1,0.0]],"asks":[],"prev_change_id":193809631160}',
    ),
    said(
        "trades.BTC-PERPETUAL.100ms",
        '[{"timestamp":1790133840700,"price":61000.5,"amount":125000.0,"direction":"sell","index_price":61010.1,'
        '"instrument_name":"BTC-PERPETUAL","trade_seq":271252855,"mark_price":61003.2,"tick_direction":2,'
        '"contracts":12500.0,"liquidation":"MT","trade_id":"403691825"}]',
    ),
    said(
        "ticker.BTC-PERPETUAL.agg2",
        '{"timestamp":1790133840800,"state":"open","stats":{"high":93612.0,"low":89277.5},"index_price":61010.1,'
        '"instrument_name":"BTC-PERPETUAL","last_price":61000.5,"min_price":60000.5,"max_price":62000.5,'
        '"open_interest":1132329370.0,"mark_price":61003.2,"current_funding":-1.2e-5,"funding_8h":0.00001742}',
    ),
    said("platform_state", '{"locked":true,"price_index":"sol_usdc","reasons":[]}'),
    said("platform_state.public_methods_state", '{"allow_unauthenticated_public_requests":false}'),
    said(
        "instrument.state.future.any",
        '{"timestamp":1790133840900,"state":"halted","instrument_name":"BTC-PERPETUAL"}',
    ),
    (
        "rest:instruments",
        b'{"jsonrpc":"2.0","id":1,"result":[{"price_index":"btc_usd","kind":"future","instrument_name":"BTC-PERPETUAL",'
        b'"instrument_type":"reversed","is_active":true,"tick_size":0.5,"contract_size":10.0,"min_trade_amount":10.0,'
        b'"settlement_currency":"BTC","settlement_period":"perpetual","base_currency":"BTC","counter_currency":"USD",'
        b'"quote_currency":"USD","tick_size_steps":[{"above_price":1.0,"tick_size":0.5}],"state":"open"}]}',
    ),
    (
        "rest:poll:status",
        b'{"jsonrpc":"2.0","result":{"locked":"partial","locked_indices":["sol_usdc"]},"usIn":1790133840000000,'
        b'"usOut":1790133840000100,"usDiff":100,"testnet":false}',
    ),
    (
        "rest:history:candles",
        b'{"jsonrpc":"2.0","result":{"volume":[812.345,0.1],"ticks":[1770285600000,1770289200000],"status":"ok","open":[73000.0,73010.0],'
        b'"low":[72950.1,72990.0],"high":[73100.5,73020.0],"cost":[59308110.0,766160.0],"close":[73010.0,73015.5]},'
        b'"usIn":1790133840000000,"usOut":1790133840000100,"usDiff":100,"testnet":false}',
    ),
    ("rest:error", b'{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests","data":null}}'),
]
