"""Every capture that fits comes in whole and unchanged; every other one is refused by name."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.capture.importers import FORMATS, ImportReport, import_capture
from monitor.capture.inference import split
from monitor.capture.lines import seconds_to_ns
from monitor.capture.reader import Recording
from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed, RestReplied
from monitor.facts import Channel, Instrument
from monitor.venues.recognise import recognise


def bring_in(format: str, path: Path, out: Path, **options: object) -> tuple[ImportReport, list[Event]]:
    report = import_capture(format, path, out, **options)  # type: ignore[arg-type]
    recording = Recording(out)
    events = list(recording.events())
    assert recording.notices == ()
    assert recording.message_count == len(events)
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert (recording.start, recording.end) == (report.start, report.end)
    frames = [event for event in events if isinstance(event, FrameReceived)]
    assert len(frames) == report.frames == sum(report.frames_by_key.values())
    assert isinstance(events[0], InstrumentsListed)
    assert events[0].instruments == report.instruments
    assert isinstance(events[1], Connected)
    return report, events


def grids(report: ImportReport) -> dict[str, tuple[str, str]]:
    return {i.symbol: (f"{i.tick_size:f}", f"{i.lot_size:f}") for i in report.instruments}


def test_hftbacktest_usdm(shared_data: Path, tmp_path: Path) -> None:
    """Counts as in the README of the capture; frames byte for byte, times to the ns."""
    source = shared_data / "hftbacktest-binance-2024-08-08" / "usdm_btcusdt_20240808.gz"
    report, events = bring_in("hftbacktest", source, tmp_path / "x.mcap")
    assert (report.venue, report.lines, report.frames, report.replies) == ("binance_usdm", 93_954, 93_953, 1)
    assert report.frames_by_key == {"btcusdt@bookTicker": 66_089, "btcusdt@depth@0ms": 6_551, "btcusdt@trade": 21_313}
    assert report.skipped == {}
    assert grids(report) == {"BTCUSDT": ("0.1", "0.001")}
    assert any("inferred" in notice for notice in report.notices)
    (instrument,) = report.instruments
    assert (instrument.asset, instrument.quote, instrument.contract_type) == ("BTC", "USDT", "linear")
    expected = [line.split(b" ", 1) for line in gzip.decompress(source.read_bytes()).splitlines()]
    received = [e for e in events if isinstance(e, (FrameReceived, RestReplied))]
    assert [(e.at, e.data if isinstance(e, FrameReceived) else e.body) for e in received] == [
        (int(at), data) for at, data in expected
    ]
    (position,) = [i for i, e in enumerate(received) if isinstance(e, RestReplied)]
    assert position == 54  # line 55
    reply = received[position]
    assert isinstance(reply, RestReplied)
    assert reply.request.purpose == "snapshot"
    assert reply.request.symbol == "BTCUSDT"
    connected = events[1]
    assert isinstance(connected, Connected)
    channels = {topic.key: topic.channel for topic in connected.plan.topics}
    assert channels == {
        "btcusdt@bookTicker": Channel.OTHER,
        "btcusdt@depth@0ms": Channel.BOOK,
        "btcusdt@trade": Channel.TRADES,
    }


def test_cryptofeed_usdm(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"
    report, events = bring_in("cryptofeed", source, tmp_path / "x.mcap")
    assert (report.venue, report.lines, report.frames, report.replies) == ("binance_usdm", 1540, 1535, 4)
    depth = sum(count for key, count in report.frames_by_key.items() if key.endswith("@depth@100ms"))
    assert depth == 764
    # The lot cannot be seen below whole coins in half a minute; CTK's prices carry 5 places with 3 digits in use only near the touch.
    assert grids(report) == {
        "AKROUSDT": ("0.00001", "1"),
        "CTKUSDT": ("0.00001", "1"),
        "KEEPUSDT": ("0.0001", "1"),
        "SUSHIUSDT": ("0.001", "1"),
    }
    replies = [e for e in events if isinstance(e, RestReplied)]
    assert [e.request.symbol for e in replies] == ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"]
    lines = [json.loads(line) for line in gzip.decompress(source.read_bytes()).splitlines()]
    assert [e.data for e in events if isinstance(e, FrameReceived)] == [
        x["raw"].encode() for x in lines if x["k"] == "recv"
    ]
    assert [e.body for e in replies] == [x["raw"].encode() for x in lines if x["k"] == "http"]
    assert events[0].at == 1626992740179554000  # 1626992740.179554, exact
    connected = events[1]
    assert isinstance(connected, Connected)
    assert connected.plan.url.startswith("wss://fstream.binance.com/stream?streams=")


def test_only_the_markets_asked_for(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "cryptofeed-samples" / "binance_usdm.jsonl.gz"
    report, events = bring_in("cryptofeed", source, tmp_path / "x.mcap", symbols=["SUSHIUSDT"])
    assert list(grids(report)) == ["SUSHIUSDT"]
    assert report.replies == 1
    assert all(key.startswith("sushiusdt@") for key in report.frames_by_key)
    assert report.skipped == {"market not asked for": 1540 - 1 - report.frames - 1}
    assert len(events) == 2 + report.frames + 1


def test_known_facts_win_over_inferred_ones(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    known = Instrument("bybit_linear", "XRPUSDT", "XRP", "USDT", "USDT", "linear", Decimal("0.0001"), Decimal("0.1"))
    report, _ = bring_in("jsonl", source, tmp_path / "x.mcap", known=[known])
    assert report.instruments == (known,)
    assert not any("inferred" in notice for notice in report.notices)


def test_bybit_jsonl(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz"
    report, events = bring_in("jsonl", source, tmp_path / "x.mcap")
    assert (report.venue, report.frames, report.replies) == ("bybit_linear", 50, 0)
    assert grids(report) == {"XRPUSDT": ("0.0001", "1")}
    assert (report.start, report.end) == (1733011200691 * 10**6, 1733011205490 * 10**6)
    connected = events[1]
    assert isinstance(connected, Connected)
    assert [(t.key, t.channel, t.book is not None) for t in connected.plan.topics] == [
        ("orderbook.500.XRPUSDT", Channel.BOOK, True)
    ]


def test_bybit_spot_frames_are_recognised_and_the_ack_is_kept(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "tickvault-fixtures-2026-08-24" / "bybit_v5_spot_orderbook50.jsonl"
    report, events = bring_in("jsonl", source, tmp_path / "x.mcap")
    assert report.venue == "bybit_spot"
    assert report.frames_by_key == {"": 1, "orderbook.50.BTCUSDT": 9}
    acknowledgement = events[2]
    assert isinstance(acknowledgement, FrameReceived)
    assert b'"success":true' in acknowledgement.data
    assert acknowledgement.at == 1787612486096 * 10**6  # has no time: that of the frame after it
    named, _ = bring_in("jsonl", source, tmp_path / "y.mcap", venue="bybit_linear")
    assert named.venue == "bybit_linear"


SPOT = {
    "cryptofeed-samples/binance_spot.jsonl.gz": ("cryptofeed", "binance_spot", 265, 4),
    "hftbacktest-binance-2024-08-08/spot_btcusdt_20240808.gz": ("hftbacktest", "binance_spot", 41_248, 1),
    "tickvault-fixtures-2026-08-24/okx_v5_books_updates_only.jsonl": ("jsonl", "okx_spot", 6, 0),
}


@pytest.mark.parametrize("name", SPOT)
def test_spot_captures_need_no_contract_size(name: str, shared_data: Path, tmp_path: Path) -> None:
    format, venue, frames, replies = SPOT[name]
    report, _ = bring_in(format, shared_data / name, tmp_path / "x.mcap")
    assert (report.venue, report.frames, report.replies) == (venue, frames, replies)
    assert {(i.contract_type, i.contract_size, i.settle == i.quote) for i in report.instruments} == {("spot", 1, True)}


REFUSED = {
    "cryptofeed-samples/bitfinex_v2.jsonl.gz": ("cryptofeed", r"bitfinex "),
    "cryptofeed-samples/bitget_v1_spot.jsonl.gz": ("cryptofeed", r"Bitget's v1.*line 3: "),
    "cryptofeed-samples/bitmex.jsonl.gz": ("cryptofeed", r"bitmex "),
    "cryptofeed-samples/bybit_v2_linear.jsonl.gz": ("cryptofeed", r"v2 protocol is retired.*line 18: .*trade\.BCHUSDT"),
    "cryptofeed-samples/coinbase_pro.jsonl.gz": ("cryptofeed", r"Coinbase Exchange's level2.*line 7: .*snapshot"),
    "cryptofeed-samples/deribit_options.jsonl.gz": ("cryptofeed", r"deribit "),
    "cryptofeed-samples/gate_futures_v4.jsonl.gz": ("cryptofeed", r"gate_usdt "),
    "cryptofeed-samples/htx_swap_linear.jsonl.gz": ("cryptofeed", r"htx_linear "),
    "cryptofeed-samples/kraken_v1.jsonl.gz": ("cryptofeed", r"Kraken's v1.*line 40: "),
    "cryptofeed-samples/kucoin_spot.jsonl.gz": ("cryptofeed", r"kucoin_spot "),
    "cryptofeed-samples/okx_v5.jsonl.gz": ("cryptofeed", r"older than seqId.*line 29: "),
    "hftbacktest-hyperliquid-2025-01-26/hyperliquid_btcusd_20250126.gz": ("hftbacktest", r"hyperliquid "),
    "tickvault-fixtures-2026-08-24/coinbase_advanced_l2_data.jsonl": ("jsonl", r"no frame with a time"),
    "hftbacktest-binance-2024-08-08/README.md": ("hftbacktest", r"line 1 is not `<ns> <json>`"),
    "cryptofeed-samples/README.md": ("cryptofeed", r"line 1 is none of cryptofeed's raw lines"),
    "tickvault-fixtures-2026-08-24/README.md": ("jsonl", r"line 1 is not a JSON frame"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(name: str, shared_data: Path, tmp_path: Path) -> None:
    format, message = REFUSED[name]
    with pytest.raises(RecordingError, match=message) as caught:
        import_capture(format, shared_data / name, tmp_path / "x.mcap")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_old_okx_era_is_refused_although_the_venue_is_named(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="older than seqId"):
        import_capture(
            "cryptofeed", shared_data / "cryptofeed-samples/okx_v5.jsonl.gz", tmp_path / "x", venue="okx_swap"
        )
    source = shared_data / "tickvault-fixtures-2026-08-24" / "okx_v5_books_updates_only.jsonl"
    with pytest.raises(RecordingError, match=r"BTC-USDT, which is no market of okx_swap.*BTC-USDT-SWAP"):
        import_capture("jsonl", source, tmp_path / "x", venue="okx_swap")


OKX_FRAME = (
    '{"arg":{"channel":"books","instId":"%s"},"action":"snapshot","data":[{"asks":[["67500.2","1.20","0","3"]],'
    '"bids":[["67500.1","0.95","0","4"]],"ts":"1785096000123","checksum":0,"prevSeqId":-1,"seqId":450001}]}\n'
)


def test_contract_sizes_are_known_or_refused_never_guessed(tmp_path: Path) -> None:
    """A wrong contract size would make every USD figure of the market wrong by that factor."""
    (tmp_path / "btc.jsonl").write_text(OKX_FRAME % "BTC-USDT-SWAP")
    (tmp_path / "doge.jsonl").write_text(OKX_FRAME % "DOGE-USDT-SWAP")
    report, _ = bring_in("jsonl", tmp_path / "btc.jsonl", tmp_path / "x.mcap")
    assert report.instruments[0].contract_size == Decimal("0.01")
    assert grids(report) == {"BTC-USDT-SWAP": ("0.1", "0.01")}
    with pytest.raises(RecordingError, match="how many coins one unit of DOGE-USDT-SWAP holds"):
        import_capture("jsonl", tmp_path / "doge.jsonl", tmp_path / "y.mcap")


DEPTH = '{"stream":"%s@depth@100ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"%s","U":%d,"u":%d,"pu":%d,"b":[["1.50","2"]],"a":[]}}'
SNAPSHOT = '{"lastUpdateId":11,"E":1,"T":1,"bids":[["1.5","2"]],"asks":[["1.6","3.25"]]}'


def test_cryptofeeds_own_files(tmp_path: Path) -> None:
    """One text file a connection, REST replies in another; read together by the folder, in the order of time."""
    folder = tmp_path / "raw"
    folder.mkdir()
    url = "https://fapi.binance.com/fapi/v1/depth?symbol=AAAUSDT&limit=1000"
    one = DEPTH % ("aaausdt", "AAAUSDT", 10, 12, 9)
    two = DEPTH % ("bbbusdt", "BBBUSDT", 5, 6, 4)
    (folder / "BINANCE_FUTURES.ws.1.0").write_text(
        "configuration: {'BTC-USDT-PERP': []}\n"
        "wss://fstream.binance.com/stream?streams=aaausdt@depth@100ms <-> 1626992740.5\n"
        'wss://fstream.binance.com/stream <- 1626992740.75: {"method":"SUBSCRIBE"}\n'
        '1626992741: {"result":null,"id":1}\n'
        f"1626992741.25: {one}\n"
        "wss://fstream.binance.com/stream?streams=aaausdt@depth@100ms <-> 1626992745.5\n"
        f"1626992746.0000001: {one}\n"
    )
    (folder / "BINANCE_FUTURES.ws.2.0").write_text(
        f"configuration: {{}}\n\n1626992742.5: {two}\n1626992742.75: b'{two}'\n"
    )
    (folder / "BINANCE_FUTURES.http.0.0").write_text(
        f"{url} -> 1626992741.5: {SNAPSHOT}\nhttps://fapi.binance.com/fapi/v1/exchangeInfo -> 1626992741.75: {{}}\n"
    )
    report, events = bring_in("cryptofeed", folder, tmp_path / "x.mcap")
    assert report.venue == "binance_usdm"
    assert (report.frames, report.replies, report.connections) == (5, 1, 3)
    assert report.skipped == {
        "sent by the recorder": 1,
        "REST reply that is no book snapshot of a known market": 1,
    }
    assert grids(report) == {"AAAUSDT": ("0.1", "0.01"), "BBBUSDT": ("0.1", "1")}
    second = 1_626_992_740 * 10**9
    assert [(type(e).__name__, e.at - second) for e in events] == [
        ("InstrumentsListed", 500_000_000),
        ("Connected", 500_000_000),
        ("FrameReceived", 1_000_000_000),
        ("FrameReceived", 1_250_000_000),
        ("RestReplied", 1_500_000_000),
        ("Connected", 2_500_000_000),
        ("FrameReceived", 2_500_000_000),
        ("FrameReceived", 2_750_000_000),
        ("Disconnected", 5_500_000_000),
        ("Connected", 5_500_000_000),
        ("FrameReceived", 6_000_000_100),
    ]
    assert [e.connection for e in events if isinstance(e, (Connected, Disconnected))] == [0, 1, 0, 0]
    assert [e.data for e in events if isinstance(e, FrameReceived)][-3:-1] == [two.encode()] * 2


def test_a_capture_without_a_snapshot_says_that_its_books_stay_unreadable(tmp_path: Path) -> None:
    (tmp_path / "BINANCE_FUTURES.ws.1.0").write_text(f"1626992741: {DEPTH % ('aaausdt', 'AAAUSDT', 10, 12, 9)}\n")
    report, _ = bring_in("cryptofeed", tmp_path / "BINANCE_FUTURES.ws.1.0", tmp_path / "x.mcap")
    assert any("no REST book snapshot" in notice and "folder" in notice for notice in report.notices)


def test_times_that_go_back_are_raised_and_counted(tmp_path: Path) -> None:
    lines = [
        f"17231612550303{n:05d} {DEPTH % ('aaausdt', 'AAAUSDT', i, i, i - 1)}"
        for i, n in enumerate((10, 30, 20, 40), 5)
    ]
    (tmp_path / "x").write_text("\n".join(lines))
    report, events = bring_in("hftbacktest", tmp_path / "x", tmp_path / "x.mcap")
    assert [e.at % 100_000 for e in events if isinstance(e, FrameReceived)] == [10, 30, 30, 40]
    assert any(notice.startswith("1 lines went back") for notice in report.notices)


def test_wrong_use_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("")
    with pytest.raises(RecordingError, match="hftbacktest, cryptofeed, jsonl"):
        import_capture("tardis", path, tmp_path / "o.mcap")
    with pytest.raises(RecordingError, match=r"unknown venue 'mtgox'.*binance_usdm"):
        import_capture("jsonl", path, tmp_path / "o.mcap", venue="mtgox")
    with pytest.raises(RecordingError, match="holds no frame"):
        import_capture("jsonl", path, tmp_path / "o.mcap")
    with pytest.raises(RecordingError, match="holds no frame"):
        import_capture("jsonl", path, tmp_path / "o.mcap", venue="bybit_linear")
    with pytest.raises(RecordingError, match="No such file"):
        import_capture("jsonl", tmp_path / "none", tmp_path / "o.mcap")
    path.write_text('{"ts":1,"hello":"world"}\n')
    with pytest.raises(RecordingError, match=r"no frame tells its venue.*hello.*--venue"):
        import_capture("jsonl", path, tmp_path / "o.mcap")
    with pytest.raises(RecordingError, match=r"no frame of bybit_linear.*hello.*line 1"):
        import_capture("jsonl", path, tmp_path / "o.mcap", venue="bybit_linear")
    (tmp_path / "taken.mcap").write_bytes(b"mine")
    with pytest.raises(RecordingError, match="exists already"):
        import_capture("jsonl", path, tmp_path / "taken.mcap")
    assert (tmp_path / "taken.mcap").read_bytes() == b"mine"


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(f"1626992741: {DEPTH % ('aaausdt', 'AAAUSDT', 10, 12, 9)}\n")
    with pytest.raises(RecordingError, match="cannot be written"):
        import_capture("cryptofeed", tmp_path / "x", tmp_path / "x" / "o.mcap")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_damaged_gzip_is_one_line(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "nautilus-bybit-v5-orderbook500" / "2024-12-01_XRPUSDT_ob500.jsonl.gz").read_bytes()
    for cut in (3, 11, 200, len(whole) // 2, len(whole) - 4):
        (tmp_path / "cut.gz").write_bytes(whole[:cut])
        with pytest.raises(RecordingError, match="damaged"):
            import_capture("jsonl", tmp_path / "cut.gz", tmp_path / "o.mcap")
    hurt = bytearray(whole)
    hurt[len(whole) // 2] ^= 0xFF
    (tmp_path / "cut.gz").write_bytes(hurt)
    with pytest.raises(RecordingError):
        import_capture("jsonl", tmp_path / "cut.gz", tmp_path / "o.mcap")
    assert not (tmp_path / "o.mcap").exists()


LINES = st.binary(max_size=60) | st.sampled_from(
    [
        (DEPTH % ("aaausdt", "AAAUSDT", 10, 12, 9)).encode(),
        b"1626992741: " + (DEPTH % ("aaausdt", "AAAUSDT", 10, 12, 9)).encode(),
        b"1626992741: b'\\xff",
        b"1723161255030314667 " + (DEPTH % ("aaausdt", "AAAUSDT", 10, 12, 9)).encode(),
        b"1723161255030314667 " + SNAPSHOT.encode(),
        b'{"t":1,"k":"recv","raw":"{}"}',
        b'{"t":1e400,"k":"recv","raw":"{}"}',
        b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{"b":[["1","2"]],"a":null}}',
        b'{"arg":{"channel":"books","instId":"A-USDT-SWAP"},"data":[{"seqId":1,"asks":5}],"ts":1}',
        b"configuration: {}",
    ]
)


@given(lines=st.lists(LINES, max_size=6), venue=st.sampled_from([None, "binance_usdm", "bybit_linear", "okx_swap"]))
def test_any_bytes_are_imported_or_refused(
    lines: list[bytes], venue: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "x").write_bytes(b"\n".join(lines))
    for format in FORMATS:
        try:
            report = import_capture(format, folder / "x", folder / f"{format}.mcap", venue=venue)
        except RecordingError:
            assert [path.name for path in folder.iterdir() if path.suffix != ".mcap"] == ["x"]
        else:
            frames = [e for e in Recording(folder / f"{format}.mcap").events() if isinstance(e, FrameReceived)]
            assert len(frames) == report.frames


@given(
    frame=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["stream", "data", "e", "s", "u", "pu", "topic", "arg", "channel", "instId", "type", "ts"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_recognising_never_fails(frame: object) -> None:
    sender = recognise(frame)
    assert sender is None or sender.venue


def test_frames_of_each_protocol_are_told_apart(shared_data: Path) -> None:
    """Every sample file names one sender, whatever frame is looked at."""
    found: dict[str, Counter[str]] = {}
    for path in sorted((shared_data / "cryptofeed-samples").glob("*.jsonl.gz")):
        senders: Counter[str] = Counter()
        for line in gzip.decompress(path.read_bytes()).splitlines():
            fields = orjson.loads(line)
            sender = recognise(orjson.loads(fields["raw"])) if fields["k"] == "recv" else None
            senders[sender.venue if sender else ""] += 1
        found[path.name.removesuffix(".jsonl.gz")] = senders
    names = {name: {venue for venue in senders if venue} for name, senders in found.items()}
    assert names == {
        "binance_spot": {"binance_spot"},
        "binance_usdm": {"binance_usdm"},
        "bitfinex_v2": {"bitfinex"},
        "bitget_v1_spot": {"bitget_usdt"},
        "bitmex": {"bitmex"},
        "bybit_v2_linear": {"bybit_linear"},
        "coinbase_pro": {"coinbase"},
        "deribit_options": {"deribit"},
        "gate_futures_v4": {"gate_usdt"},
        "htx_swap_linear": {"htx_linear"},
        "kraken_v1": {"kraken_spot"},
        "kucoin_spot": {"kucoin_spot"},
        "okx_v5": {"okx_futures", "okx_spot", "okx_swap"},
    }


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("1000PEPEUSDC", ("1000PEPE", "USDC")),
        ("BTCUSDT_250926", ("BTC", "USDT")),
        ("BTCPERP", ("BTC", "USDC")),
        ("BTC-USDT-SWAP", ("BTC", "USDT")),
        ("BTC/USD", ("BTC", "USD")),
        ("USDT", ("", "")),
        ("XYZ", ("", "")),
    ],
)
def test_names_of_markets(symbol: str, parts: tuple[str, str]) -> None:
    assert split(symbol) == parts


@given(st.integers(1, 2**61))
def test_seconds_become_exact_ns(ns: int) -> None:
    assert seconds_to_ns(f"{ns // 10**9}.{ns % 10**9:09d}") == ns


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "0", "1e30", "x", "1_0 "])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        seconds_to_ns(text)
