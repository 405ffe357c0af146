"""Whose frame is this, and is it of a protocol that still exists? For captures, whose files do not say.

Facts as of 2026-11-22; a frame that several venues could have sent says nothing, the next one decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COIN_MARGINED: Final = re.compile(r".+_PERP|(?!(?:BTC|ETH)BUSD_).+USD_\d{6}")
_OKX_PAIR: Final = re.compile(r"[^-]+-[^-]+")
_BYBIT_V2: Final = ("orderBookL2_", "trade.", "instrument_info.", "klineV2.", "insurance.")
_COINBASE_EXCHANGE: Final = frozenset({"l2update", "snapshot", "ticker", "match", "last_match", "heartbeat"})


@dataclass(frozen=True, slots=True)
class Sender:
    """`venue`: our name of it. `retired`: why its frames cannot be used any more, "" when they can."""

    venue: str
    retired: str = ""


def recognise(frame: object) -> Sender | None:
    """Who sent a parsed frame; None: it does not tell."""
    if isinstance(frame, list):
        return _array(frame)
    if not isinstance(frame, dict):
        return None
    data = frame.get("data")
    if isinstance(frame.get("stream"), str) and isinstance(data, dict):
        return _binance(data)
    if isinstance(frame.get("e"), str):
        return _binance(frame)
    topic, arg, channel = frame.get("topic"), frame.get("arg"), frame.get("channel")
    if isinstance(topic, str):
        return _topic(topic, frame)
    if isinstance(arg, dict) and "channel" in arg:
        return _argument(arg, data)
    if isinstance(channel, str):
        return _channel(channel, frame)
    if "table" in frame and "action" in frame:
        return Sender("bitmex")
    if str(frame.get("type")) in _COINBASE_EXCHANGE and "product_id" in frame:
        return Sender("coinbase", "Coinbase Exchange's level2 carries no sequence; Advanced Trade took its place")
    if str(frame.get("ch", "")).startswith("market."):
        return Sender("htx_linear")
    if frame.get("method") == "subscription" and "jsonrpc" in frame:
        return Sender("deribit")
    return None


def _binance(data: dict[str, object]) -> Sender | None:
    symbol = data.get("s")
    if not isinstance(symbol, str):
        return None
    event = data.get("e")
    if event == "depthUpdate":
        if "pu" not in data:
            return Sender("binance_spot")
        return Sender("binance_coinm" if _COIN_MARGINED.fullmatch(symbol) else "binance_usdm")
    if event is None and "u" in data:  # spot's bookTicker has no event name
        return Sender("binance_spot")
    if event == "bookTicker":
        return Sender("binance_coinm" if _COIN_MARGINED.fullmatch(symbol) else "binance_usdm")
    return None


def _topic(topic: str, frame: dict[str, object]) -> Sender | None:
    if topic.startswith("/"):
        return Sender("kucoin_futures" if topic.startswith("/contract") else "kucoin_spot")
    if topic.startswith(_BYBIT_V2) and "ts" not in frame:
        return Sender("bybit_linear", "Bybit's v2 protocol is retired; the venue speaks v5")
    symbol = topic.rpartition(".")[2]
    if topic.startswith(("orderbook.", "publicTrade.")):
        # v5 frames of spot and of futures differ in the order of their keys alone.
        keys = list(frame)
        if "ts" in keys and "type" in keys and keys.index("ts") < keys.index("type"):
            return Sender("bybit_spot")
        return Sender("bybit_inverse" if symbol.endswith("USD") else "bybit_linear")
    if topic.startswith("allLiquidation."):
        return Sender("bybit_inverse" if symbol.endswith("USD") else "bybit_linear")
    return None


def _argument(arg: dict[str, object], data: object) -> Sender | None:
    market = arg.get("instId")
    if "instType" in arg and not str(arg["channel"]).startswith(("liquidation", "instruments")):
        old = str(arg["instType"]).lower() in ("sp", "mc")
        return Sender("bitget_usdt", "Bitget's v1 protocol is old; the venue speaks v2" if old else "")
    if not isinstance(market, str):
        return None
    venue = "okx_swap" if market.endswith("-SWAP") else "okx_spot" if _OKX_PAIR.fullmatch(market) else "okx_futures"
    if arg["channel"] == "books" and isinstance(data, list) and data and isinstance(data[0], dict):
        old = "seqId" not in data[0]
        return Sender(venue, "these OKX books are older than seqId, by which their gaps are seen today" if old else "")
    return None


def _channel(channel: str, frame: dict[str, object]) -> Sender | None:
    if channel.startswith("futures."):
        return Sender("gate_usdt")
    if channel in ("l2_data", "market_trades"):
        return Sender("coinbase")
    if channel in ("l2Book", "bbo"):
        return Sender("hyperliquid")
    if channel == "book" and frame.get("type") in ("snapshot", "update"):
        return Sender("kraken_spot")
    return None


def _array(frame: list[object]) -> Sender | None:
    if len(frame) >= 4 and isinstance(frame[-1], str) and "/" in frame[-1] and isinstance(frame[-2], str):
        return Sender("kraken_spot", "Kraken's v1 protocol is old; the venue speaks v2")
    if len(frame) >= 2 and isinstance(frame[0], int) and isinstance(frame[1], list):
        return Sender("bitfinex")
    return None
