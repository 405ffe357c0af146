"""Instrument listings as the venues give them over REST, written from instruments."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.facts import Instrument
from monitor.simulator.protocols import binance_usdm_frames, bybit_linear_frames, okx_swap_frames
from monitor.simulator.protocols.bybit_linear import rest_body as bybit_body
from monitor.simulator.protocols.okx_swap import rest_body as okx_body
from monitor.simulator.source import RestReply


def listing(venue: str, path: str, instruments: Iterable[Instrument]) -> RestReply | None:
    """The venue's listing of these instruments, on one page; None when the address is another one."""
    match venue, path:
        case "binance_usdm", "/fapi/v1/fundingInfo":
            return RestReply(200, b"[]")
        case "binance_usdm", "/fapi/v1/exchangeInfo":
            rows = [
                binance_usdm_frames.listed(
                    i.symbol,
                    "PERPETUAL",
                    i.status or "TRADING",
                    coin(i),
                    f"{i.tick_size:f}",
                    f"{i.lot_size:f}",
                    i.quote,
                )
                for i in instruments
            ]
            return binance_usdm_frames.as_json({"timezone": "UTC", "symbols": rows})
        case "bybit_linear", "/v5/market/instruments-info":
            rows = [
                bybit_linear_frames.listed(i.symbol, coin(i), f"{i.tick_size:f}", f"{i.lot_size:f}", i.quote)
                for i in instruments
            ]
            result = {"category": "linear", "list": rows, "nextPageCursor": ""}
            return RestReply(200, bybit_body(0, "OK", result, 0))
        case "okx_swap", "/api/v5/public/instruments":
            swaps = [
                okx_swap_frames.listed(
                    i.symbol,
                    coin(i),
                    i.settle,
                    f"{i.tick_size:f}",
                    f"{i.lot_size:f}",
                    f"{i.contract_size:f}",
                    i.contract_type,
                )
                for i in instruments
            ]
            return RestReply(200, okx_body("0", "", swaps))
    return None


def coin(instrument: Instrument) -> str:
    """The venue's own name of the base coin, with its multiplier (1000PEPE)."""
    return instrument.asset if instrument.unit_multiplier == 1 else f"{instrument.unit_multiplier}{instrument.asset}"
