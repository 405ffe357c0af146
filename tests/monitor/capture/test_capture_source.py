"""A recording served by the simulated venues: every data frame at its time, listings and snapshots over REST."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from monitor.capture.importers import import_capture
from monitor.capture.reader import Recording
from monitor.capture.source import open_source
from monitor.errors import RecordingError
from monitor.events import FrameReceived, RestReplied
from monitor.venues.registry import VENUES


def test_frames_and_snapshot_of_an_imported_capture_are_served(shared_data: Path, tmp_path: Path) -> None:
    capture = shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"
    report = import_capture("cryptofeed", capture, tmp_path / "x.mcap")
    source = open_source([tmp_path / "x.mcap"])
    assert source.venues == ["binance_usdm"]
    replies = {e.request.symbol: e.body for e in Recording(tmp_path / "x.mcap").events() if isinstance(e, RestReplied)}
    asked = source.rest("binance_usdm", "/fapi/v1/depth", {"symbol": "SUSHIUSDT", "limit": "1000"})
    assert asked is not None
    assert asked.body == replies["SUSHIUSDT"]
    source.started_by("binance_usdm", "sushiusdt@depth@100ms")
    played = list(source.advance(3600 * 10**9))
    counts: dict[str, int] = {}
    for frame in played:
        counts[frame.key] = counts.get(frame.key, 0) + 1
    assert counts == dict(report.frames_by_key)
    assert source.finished
    received = [e.data for e in Recording(tmp_path / "x.mcap").events() if isinstance(e, FrameReceived)]
    assert [orjson.loads(frame.data) for frame in played] == [orjson.loads(data)["data"] for data in received]


def test_the_listing_that_is_served_reads_as_the_recorded_one(shared_data: Path, tmp_path: Path) -> None:
    capture = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    report = import_capture("jsonl", capture, tmp_path / "x.mcap")
    source = open_source([tmp_path])
    reply = source.rest("bybit_linear", "/v5/market/instruments-info", {"category": "linear"})
    assert reply is not None
    venue = VENUES["bybit_linear"]
    found, _ = venue.parse_instruments(venue.instrument_requests(["XRPUSDT"])[0], reply.body)
    recorded = report.instruments[0]
    assert [(i.symbol, i.asset, i.quote, i.tick_size, i.lot_size, i.trading) for i in found] == [
        (recorded.symbol, recorded.asset, recorded.quote, recorded.tick_size, recorded.lot_size, True)
    ]


def test_nothing_to_serve_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        open_source([tmp_path / "none.mcap"])
