"""The other captures that fit the three venues, through import and hub: no gap where the capture has none, bands as a Decimal book."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from acceptance_rig import (
    PERCENTS,
    SECOND,
    SIDES,
    PlainBook,
    figures,
    market_of,
    opening,
    recording,
    settings,
    watched_replay,
)

from engines.book.bands import BandSet
from engines.book.live_book import LiveBook
from monitor.capture.importers import import_capture
from monitor.events import FrameReceived
from monitor.facts import Instrument
from monitor.hub import Hub
from monitor.views import MarketView, ServiceView

BANDS = BandSet([f"{percent}%" for percent in PERCENTS])


def assert_bands(market: MarketView, book: LiveBook, plain: PlainBook, known: tuple[Decimal, Decimal]) -> None:
    """Raw sums of the ladder equal the Decimal book's; published is what lies inside `known` (lowest bid, highest ask), all of it live."""
    tick, lot = book.scale.price.step, book.scale.size.step
    report = book.bands(BANDS, market.at)
    assert report is not None
    published = figures(market)
    for side, name in enumerate(SIDES):
        for figure, percent, (base, quote) in zip(report.side(name), PERCENTS, plain.depths(side), strict=True):
            assert (figure.raw.lots * lot, figure.raw.lot_ticks * lot * tick) == (base, quote)
            edge = plain.edge(side, percent)
            shown = published.pop((name, f"{percent}%"), None)
            if edge <= known[1] if side else edge >= known[0]:
                assert shown is not None
                assert shown[2] == "live"
                assert shown[:2] == pytest.approx((float(base), float(quote)), rel=1e-9)
            else:
                assert shown is None
    assert published == {}


def test_cryptofeed_binance_usdm(shared_data: Path, tmp_path: Path) -> None:
    """Four markets on one socket; each REST snapshot came after the first changes."""
    source = shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"
    out = tmp_path / "x.mcap"
    import_capture("cryptofeed", source, out)
    plain: dict[str, PlainBook] = {}
    known: dict[str, tuple[Decimal, Decimal]] = {}
    waiting: dict[str, list[dict[str, object]]] = {}
    trades: dict[str, dict[str, Decimal]] = {}
    ends: dict[str, int] = {}
    with gzip.open(source, "rt") as file:
        for line in file:
            record = json.loads(line)
            if record["k"] == "http":
                symbol = record["url"].split("symbol=")[1].split("&")[0]
                snapshot = json.loads(record["raw"])
                plain[symbol] = PlainBook()
                plain[symbol].replace(snapshot["bids"], snapshot["asks"])
                whole = [len(snapshot[side]) < 1000 for side in ("bids", "asks")]
                known[symbol] = (
                    Decimal(0) if whole[0] else Decimal(snapshot["bids"][-1][0]),
                    Decimal("Infinity") if whole[1] else Decimal(snapshot["asks"][-1][0]),
                )
                for data in waiting.pop(symbol, []):
                    if data["u"] >= snapshot["lastUpdateId"]:  # type: ignore[operator]
                        plain[symbol].apply(data["b"], data["a"])  # type: ignore[arg-type]
                        ends[symbol] = data["u"]  # type: ignore[assignment]
            elif record["k"] == "recv":
                data = json.loads(record["raw"]).get("data", {})
                if data.get("e") == "depthUpdate":
                    if data["s"] in plain:
                        plain[data["s"]].apply(data["b"], data["a"])
                        ends[data["s"]] = data["u"]
                    else:
                        waiting.setdefault(data["s"], []).append(data)
                elif data.get("e") == "aggTrade":
                    sums = trades.setdefault(data["s"], {"buy": Decimal(0), "sell": Decimal(0), "count": Decimal(0)})
                    sums["sell" if data["m"] else "buy"] += Decimal(data["p"]) * Decimal(data["q"])
                    sums["count"] += 1
    report, hub = watched_replay([out], settings())
    assert report.frames == 1535
    assert set(plain) == {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}
    for symbol, book_of in plain.items():
        market = market_of(hub.view, symbol)
        book = hub.markets["binance_usdm", symbol].book
        assert book is not None
        assert (market.verified, market.reason) == (True, "")
        assert market.counters["book_gaps_total"] == market.counters["book_crossed_total"] == 0
        assert book.last_id == ends[symbol]
        assert_bands(market, book, book_of, known[symbol])
        counted = trades.get(symbol, {"buy": Decimal(0), "sell": Decimal(0), "count": Decimal(0)})
        assert market.counters["trades_total|buy"] + market.counters["trades_total|sell"] == counted["count"]
        for side in ("buy", "sell"):
            assert market.counters[f"trade_volume_usd_total|{side}"] == pytest.approx(float(counted[side]), rel=1e-9)
    assert {asset.asset for asset in hub.view.assets} == {"SUSHI", "AKRO", "KEEP", "CTK"}
    assert sum(int(sums["count"]) for sums in trades.values()) == 91


def stream_replay(path: Path, venue: str, symbol: str, source: list[bytes]) -> tuple[Hub, list[ServiceView], int]:
    """Replay a recording whose book comes on the stream, with a plain book beside it compared after every frame."""
    plain = PlainBook()
    compared = 0
    views: list[ServiceView] = []
    frames = iter(source)

    def after_frame(hub: Hub, data: bytes, at: int) -> None:
        nonlocal compared
        message = orjson.loads(data)
        if "data" not in message:
            return
        assert data == next(frames)
        (plain.replace if message["type"] == "snapshot" else plain.apply)(message["data"]["b"], message["data"]["a"])
        book = hub.markets[venue, symbol].book
        assert book is not None
        assert book.readable
        assert book.level_counts == (len(plain.sides[0]), len(plain.sides[1]))
        # Between seconds no view is made: this one is made for the comparison alone.
        market = hub.markets[venue, symbol]
        link = hub.states[venue].links[0]
        view = market.view(at, 1.0, link, "")
        assert_bands(view, book, plain, (min(plain.sides[0]), max(plain.sides[1])))
        compared += 1

    _, hub = watched_replay(
        [path], settings(floor_settle="0s"), after_frame=after_frame, on_second=lambda _, view: views.append(view)
    )
    return hub, views, compared


def test_nautilus_bybit_orderbook_500(shared_data: Path, tmp_path: Path) -> None:
    """A window of 500 levels: nothing beyond it is ever said, also with floor_settle 0."""
    source = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    import_capture("jsonl", source, tmp_path / "x.mcap")
    lines = gzip.decompress(source.read_bytes()).splitlines()
    hub, views, compared = stream_replay(tmp_path / "x.mcap", "bybit_linear", "XRPUSDT", lines)
    assert compared == 50
    market = market_of(hub.view, "XRPUSDT")
    assert (market.verified, market.counters["book_gaps_total"], market.counters["book_updates_total"]) == (True, 0, 50)
    assert market.resyncs == {}
    assert len(views) >= 5
    assert {figure.basis for view in views for m in view.markets for figure in m.depth} == {"live"}
    (asset,) = hub.view.assets
    assert (asset.asset, asset.regime) == ("XRP", "normal")


def test_tickvault_bybit_orderbook_50(shared_data: Path, tmp_path: Path) -> None:
    """Frames of Bybit's spot socket, which are those of the linear one but for the order of their keys."""
    source = shared_data / "tickvault-fixtures-2026-08-24" / "bybit_v5_spot_orderbook50.jsonl"
    import_capture("jsonl", source, tmp_path / "x.mcap", venue="bybit_linear")
    lines = [line for line in source.read_bytes().splitlines() if b'"data"' in line]
    hub, _, compared = stream_replay(tmp_path / "x.mcap", "bybit_linear", "BTCUSDT", lines)
    assert compared == 9
    market = market_of(hub.view, "BTCUSDT")
    assert (market.verified, market.counters["book_gaps_total"], market.counters["book_updates_total"]) == (True, 0, 9)
    (venue,) = hub.view.venues
    assert venue.channels["other"]["parse_errors"] == 0  # the acknowledgement is understood


def okx_recording(shared_data: Path, path: Path, snapshot: bytes | None) -> tuple[Path, list[bytes]]:
    """The capture is of the spot pair; a swap's frames differ in the name alone."""
    source = shared_data / "tickvault-fixtures-2026-08-24" / "okx_v5_books_updates_only.jsonl"
    lines = [line.replace(b'"BTC-USDT"', b'"BTC-USDT-SWAP"') for line in source.read_bytes().splitlines()]
    instrument = Instrument(
        "okx_swap", "BTC-USDT-SWAP", "BTC", "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.00000001"),
        contract_size=Decimal("0.01"),
    )  # fmt: skip
    frames = lines if snapshot is None else [snapshot, *lines]
    at = 1_787_612_486 * SECOND
    events = opening(at, "okx_swap", [instrument], ["books:BTC-USDT-SWAP"])
    events += [FrameReceived(at + (n + 1) * SECOND // 10, "okx_swap", 0, frame) for n, frame in enumerate(frames)]
    return recording(path, events), frames


def test_okx_updates_without_their_snapshot_are_never_a_book(shared_data: Path, tmp_path: Path) -> None:
    path, frames = okx_recording(shared_data, tmp_path / "x.mcap", None)
    views: list[ServiceView] = []
    _, hub = watched_replay([path], settings(), on_second=lambda _, view: views.append(view))
    assert len(frames) == 6
    market = market_of(hub.view, "BTC-USDT-SWAP")
    assert (market.verified, market.reason) == (False, "no snapshot")
    assert not any(m.verified or m.depth or m.mid_price for view in views for m in view.markets)
    assert hub.view.assets[0].depth == ()
    assert hub.view.assets[0].regime is None
    assert hub.view.assets[0].quality.degraded == ("okx_swap:BTC-USDT-SWAP no snapshot",)


def test_okx_updates_after_a_snapshot_link_up(shared_data: Path, tmp_path: Path) -> None:
    snapshot = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["78800","5","0","1"]],'
        b'"bids":[["78700","7","0","1"]],"ts":"1787612486100","checksum":0,"prevSeqId":-1,"seqId":80274874800}]}'
    )
    path, frames = okx_recording(shared_data, tmp_path / "x.mcap", snapshot)
    _, hub = watched_replay([path], settings())
    market = market_of(hub.view, "BTC-USDT-SWAP")
    book = hub.markets["okx_swap", "BTC-USDT-SWAP"].book
    assert book is not None
    assert (market.verified, market.reason, market.counters["book_gaps_total"]) == (True, "", 0)
    assert market.counters["book_updates_total"] == 7
    plain = PlainBook()
    for frame in frames:
        message = orjson.loads(frame)
        plain.apply(message["data"][0]["bids"], message["data"][0]["asks"])
    assert book.level_counts == (len(plain.sides[0]), len(plain.sides[1]))
    # A window that was never full: both sides are known completely.
    assert market.reach_ratio["bid"] == 1.0
    shown = figures(market)
    for side, name in enumerate(SIDES):
        for percent, (base, quote) in zip(PERCENTS, plain.depths(side), strict=True):
            # Sizes are contracts of 0.01 BTC.
            expected = (float(base) / 100, float(quote) / 100, "live")
            assert shown[name, f"{percent}%"][:2] == pytest.approx(expected[:2], rel=1e-9)
            assert shown[name, f"{percent}%"][2] == "live"
