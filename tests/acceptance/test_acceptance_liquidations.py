"""Every real liquidation frame of 2026 of the three venues, from a recording through the hub: market, position, coins, dollars, kind, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from acceptance_rig import SECOND, market_of, opening, recording

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import LiquidationPayload, rfc3339
from monitor.alerts.settings import AlertsSettings
from monitor.capture.recording_set import RecordingSet
from monitor.config import Settings
from monitor.events import FrameReceived
from monitor.facts import Instrument
from monitor.hub import Hub
from monitor.service.wiring import hub_options
from monitor.views import ServiceView

MS = 1_000_000


@dataclass
class Collected:
    prints: list[LiquidationPayload] = field(default_factory=list)
    moves: list[Transition] = field(default_factory=list)

    def transitions(self, transitions: Sequence[Transition]) -> None:
        self.moves.extend(transitions)

    def liquidation(self, payload: LiquidationPayload) -> None:
        self.prints.append(payload)

    def second(self, view: ServiceView) -> None:
        pass


def instrument(venue: str, symbol: str, asset: str, contract: str = "1") -> Instrument:
    size = Decimal("0.01") if venue == "okx_swap" else Decimal("0.001")
    return Instrument(
        venue, symbol, asset, "USDT", "USDT", "linear", Decimal("0.00001"), size, contract_size=Decimal(contract)
    )


@dataclass(frozen=True)
class Golden:
    """What line `line` of the file says, by hand."""

    line: int
    venue: str
    key: str
    instrument: Instrument
    position: str
    prints: tuple[tuple[str, str, int], ...]  # coins, price, venue time in ms
    price_kind: str
    coverage: str


BTC = instrument("binance_usdm", "BTCUSDT", "BTC")
BTC_BYBIT = instrument("bybit_linear", "BTCUSDT", "BTC")
BTC_OKX = instrument("okx_swap", "BTC-USDT-SWAP", "BTC", "0.01")
GOLDEN = [
    Golden(0, "bybit_linear", "allLiquidation.ICPUSDT", instrument("bybit_linear", "ICPUSDT", "ICP"), "long",
           (("19.7", "2.585", 1789670094099),), "bankruptcy", "complete"),
    Golden(1, "bybit_linear", "allLiquidation.MARSCOINUSDT", instrument("bybit_linear", "MARSCOINUSDT", "MARSCOIN"),
           "short", (("2380", "0.12734", 1789670278053),), "bankruptcy", "complete"),
    Golden(2, "binance_usdm", "raw:cotiusdt@forceOrder", instrument("binance_usdm", "COTIUSDT", "COTI"), "short",
           (("288183", "0.0219120", 1789672235690),), "average", "sampled"),
    Golden(4, "okx_swap", "liquidation-orders:SWAP", instrument("okx_swap", "CNPY-USDT-SWAP", "CNPY", "10"), "short",
           (("21370", "0.4162", 1789669898955),), "bankruptcy", "sampled"),
    Golden(7, "binance_usdm", "!forceOrder@arr", BTC, "long", (("0.190", "82651.90", 1791565602120),), "average",
           "sampled"),
    Golden(8, "bybit_linear", "allLiquidation.BTCUSDT", BTC_BYBIT, "long",
           (("0.006", "82396.90", 1791565600992), ("0.038", "82394.30", 1791565601058)), "bankruptcy", "complete"),
    Golden(9, "okx_swap", "liquidation-orders:SWAP", BTC_OKX, "long", (("0.0855", "82655.7", 1791565600771),),
           "bankruptcy", "sampled"),
    Golden(11, "binance_usdm", "!forceOrder@arr", instrument("binance_usdm", "ILVUSDT", "ILV"), "long",
           (("116.5", "3.85642", 1791391082119),), "average", "sampled"),
    Golden(12, "bybit_linear", "allLiquidation.STRKUSDT", instrument("bybit_linear", "STRKUSDT", "STRK"), "long",
           (("2084.9", "0.05165", 1791091285156),), "bankruptcy", "complete"),
    Golden(13, "binance_usdm", "xrpusdt@forceOrder", instrument("binance_usdm", "XRPUSDT", "XRP"), "short",
           (("127.2", "1.4912", 1791091174219),), "average", "sampled"),
    Golden(14, "bybit_linear", "allLiquidation.ADAUSDT", instrument("bybit_linear", "ADAUSDT", "ADA"), "short",
           (("13248", "0.1915", 1786014946933),), "bankruptcy", "complete"),
]  # fmt: skip


def raw_lines(folder: Path) -> list[bytes]:
    text = (folder / "liquidation-frames-2026" / "frames.jsonl").read_bytes()
    return [orjson.loads(line)["raw"].encode() for line in text.splitlines()]


def run(path: Path) -> tuple[Hub, Collected]:
    outlet = Collected()
    settings = Settings()
    hub = Hub(hub_options(settings), AlertEngine(AlertsSettings(), "test"), outlet)
    last = 0
    for event in RecordingSet.open([path]).events():
        hub.on_event(event)
        last = event.at
    hub.on_tick(last + SECOND)
    return hub, outlet


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"line{golden.line}-{golden.instrument.symbol}")
def test_each_frame(golden: Golden, shared_data: Path, tmp_path: Path) -> None:
    frame = raw_lines(shared_data)[golden.line]
    at = golden.prints[-1][2] * MS + 1_100 * MS  # Binance's prints arrive a second after the fact
    events = opening(at - 10, golden.venue, [golden.instrument], [golden.key])
    events += [FrameReceived(at, golden.venue, 0, frame), FrameReceived(at + 5, golden.venue, 0, b'{"event":"?"}')]
    hub, outlet = run(recording(tmp_path / "x.mcap", events))
    usd = [float(Decimal(coins) * Decimal(price)) for coins, price, _ in golden.prints]
    assert len(outlet.prints) == len(golden.prints)
    for payload, (coins, price, time), notional in zip(outlet.prints, golden.prints, usd, strict=True):
        assert payload.schema == "undertow.liquidation.v1"
        assert (payload.venue, payload.market, payload.asset) == (
            golden.venue,
            golden.instrument.symbol,
            golden.instrument.asset,
        )
        assert (payload.position, payload.price_kind, payload.coverage) == (
            golden.position,
            golden.price_kind,
            golden.coverage,
        )
        assert payload.quantity_base == pytest.approx(float(coins), rel=1e-12)
        assert payload.price == float(price)
        assert payload.notional_usd == pytest.approx(notional, rel=1e-12)
        assert (payload.venue_time, payload.received_at) == (rfc3339(time * MS), rfc3339(at))
    market = market_of(hub.view, golden.instrument.symbol)
    other = "short" if golden.position == "long" else "long"
    assert market.liquidation_coverage == golden.coverage
    assert market.counters[f"liquidations_total|{golden.position}"] == len(usd)
    assert market.counters[f"liquidated_usd_total|{golden.position}"] == pytest.approx(sum(usd), rel=1e-12)
    assert market.counters[f"liquidations_total|{other}"] == market.counters[f"liquidated_usd_total|{other}"] == 0
    (asset,) = hub.view.assets
    assert asset.liquidated_usd[golden.position, "observed"] == pytest.approx(sum(usd), rel=1e-12)
    assert asset.liquidated_60s_usd[golden.position] == pytest.approx(sum(usd), abs=0.01)
    assert asset.liquidated_60s_usd[other] == 0
    assert hub.view.venues[0].channels["liquidations"]["messages"] == 1


def test_one_small_move_of_bitcoin_on_three_venues(shared_data: Path, tmp_path: Path) -> None:
    """2026-10-09 17:06:40-43 UTC: three venues' prints of one fall meet in one asset, and leave its minute again."""
    lines = raw_lines(shared_data)
    start = 1_791_565_600 * SECOND
    events = []
    for venue, market, key in (
        ("okx_swap", BTC_OKX, "liquidation-orders:SWAP"),
        ("bybit_linear", BTC_BYBIT, "allLiquidation.BTCUSDT"),
        ("binance_usdm", BTC, "!forceOrder@arr"),
    ):
        events += opening(start, venue, [market], [key])
    events += [
        FrameReceived(start + 1_000 * MS, "okx_swap", 0, lines[9]),
        FrameReceived(start + 1_500 * MS, "bybit_linear", 0, lines[8]),
        FrameReceived(start + 3_100 * MS, "binance_usdm", 0, lines[7]),
        FrameReceived(start + 3_200 * MS, "binance_usdm", 0, lines[11]),  # ILVUSDT is not configured
    ]
    hub, outlet = run(recording(tmp_path / "x.mcap", events))
    usd = sum(
        float(Decimal(coins) * Decimal(price)) for g in GOLDEN if g.line in (7, 8, 9) for coins, price, _ in g.prints
    )
    assert [payload.venue for payload in outlet.prints] == ["okx_swap", "bybit_linear", "bybit_linear", "binance_usdm"]
    (asset,) = hub.view.assets
    assert asset.liquidated_60s_usd == {"long": pytest.approx(usd, abs=0.02), "short": 0}
    hub.on_tick(start + 70 * SECOND)
    (asset,) = hub.view.assets
    assert asset.liquidated_60s_usd == {"long": 0, "short": 0}
    assert asset.liquidated_usd["long", "observed"] == pytest.approx(usd, rel=1e-12)
