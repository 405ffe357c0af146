"""Every event comes back as it went in, and the files are MCAP to the stock reader."""

from __future__ import annotations

import io
import string
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from capture_samples import BOOK, sample_events, topic_of, write_file
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader

from monitor.capture.format import Checkpoint, Gap, decode, encode, registry_topic
from monitor.capture.reader import Recording
from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed, RestReplied, VenueHalted
from monitor.facts import Channel, Instrument
from monitor.venues.base import ConnectionPlan, RestRequest, Topic

TIMES = st.integers(0, 2**63 - 1)
NAMES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)
STEPS = st.decimals(min_value="1e-12", max_value="1e6", allow_nan=False).filter(lambda step: step > 0)
INSTRUMENTS = st.builds(
    Instrument,
    venue=NAMES,
    symbol=st.text(min_size=1, max_size=20),
    asset=NAMES,
    quote=NAMES,
    settle=NAMES,
    contract_type=st.sampled_from(["spot", "linear", "inverse"]),
    tick_size=STEPS,
    lot_size=STEPS,
    contract_size=STEPS,
    unit_multiplier=st.integers(1, 10**9),
    trading=st.booleans(),
    status=st.text(max_size=10),
    funding_interval_seconds=st.none() | st.integers(1, 10**6),
)
SHAPE = {
    "silence_seconds": st.none() | st.floats(0, 1e6),
    "first_seconds": st.none() | st.floats(0, 1e6),
    "significant_figures": st.none() | st.integers(1, 5),
    "cadence_seconds": st.none() | st.floats(0.1, 60),
    "alias": st.just("") | st.text(max_size=8),
}
TOPICS = st.builds(
    Topic,
    key=NAMES.map(lambda name: f"book.{name}"),
    channel=st.just(Channel.BOOK),
    symbols=st.lists(NAMES, max_size=3).map(tuple),
    book=st.just(BOOK),
    **SHAPE,
) | st.builds(
    Topic,
    key=NAMES.map(lambda name: f"gone.{name}"),
    channel=st.sampled_from([Channel.TICKER, Channel.LIQUIDATIONS, Channel.STATUS, Channel.OTHER]),
    symbols=st.lists(NAMES, max_size=3).map(tuple),
    **SHAPE,
)
REQUESTS = st.builds(
    RestRequest,
    purpose=st.sampled_from(["instruments", "snapshot", "deep", "poll"]),
    url=st.text(max_size=40),
    weight=st.integers(0, 5000),
    symbol=st.none() | NAMES,
    key=st.text(max_size=10),
    body=st.none() | st.text(max_size=60),
)
CONNECTIONS = st.integers(0, 2**40)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        InstrumentsListed,
        at=TIMES,
        venue=NAMES,
        instruments=st.lists(INSTRUMENTS, max_size=4).map(tuple),
        refused=st.lists(st.tuples(NAMES, st.text(max_size=20)), max_size=3).map(tuple),
    ),
    st.builds(
        Connected,
        at=TIMES,
        venue=NAMES,
        connection=CONNECTIONS,
        plan=st.builds(
            ConnectionPlan,
            name=st.text(max_size=20),
            url=st.text(max_size=40),
            topics=st.lists(TOPICS, max_size=4).map(tuple),
            encoding=st.sampled_from(["text", "gzip"]),
            address=st.none() | REQUESTS,
        ),
    ),
    st.builds(FrameReceived, at=TIMES, venue=NAMES, connection=CONNECTIONS, data=st.binary(max_size=300)),
    st.builds(Disconnected, at=TIMES, venue=NAMES, connection=CONNECTIONS, reason=st.text(max_size=20)),
    st.builds(
        RestReplied,
        at=TIMES,
        venue=NAMES,
        request=REQUESTS,
        body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
        error=st.text(max_size=20),
    ),
    st.builds(VenueHalted, at=TIMES, venue=NAMES, reason=st.text(max_size=20), until=st.none() | TIMES),
)


@given(events=st.lists(EVENTS, min_size=1, max_size=30), flush_every=st.integers(1, 10))
def test_events_come_back_exactly(
    events: list[Event], flush_every: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_file(tmp_path_factory.mktemp("roundtrip") / "x.mcap", events, flush_every)
    recording = Recording(path, topic_of=topic_of)
    found = list(recording.events())
    assert found == events
    assert repr(found) == repr(events)  # Decimals keep their form, bytes stay bytes
    assert recording.message_count == len(events)
    assert (recording.start, recording.end) == (min(e.at for e in events), max(e.at for e in events))
    assert recording.notices == ()


@given(
    gap=st.builds(Gap, at=TIMES, since=TIMES, frames=TIMES, bytes=TIMES, reason=st.text(max_size=9))
    | st.builds(Checkpoint, at=TIMES, count=st.integers(0, 99))
)
def test_marks_come_back_exactly(gap: Gap | Checkpoint) -> None:
    kind, data = encode(gap)
    assert decode(kind, gap.at, data, topic_of) == gap


def test_a_book_topic_whose_grammar_is_gone_is_known_and_not_used() -> None:
    plan = ConnectionPlan("p", "wss://x", (Topic("trades.BTC", Channel.TRADES, ("BTC",), 5.0),))
    kind, data = encode(Connected(1, "fake", 0, plan))
    again = decode(kind, 1, data, topic_of)
    assert isinstance(again, Connected)
    assert again.plan.topics == (Topic("trades.BTC", Channel.OTHER, ("BTC",), 5.0),)


def test_topics_of_a_real_venue_are_rebuilt_with_their_grammar() -> None:
    topic = registry_topic("binance_usdm", "btcusdt@depth@100ms")
    assert topic is not None
    kind, data = encode(Connected(1, "binance_usdm", 0, ConnectionPlan("public", "wss://x", (topic,))))
    again = decode(kind, 1, data, registry_topic)
    assert isinstance(again, Connected)
    assert again.plan.topics == (topic,)
    assert again.plan.topics[0].book is not None


def test_what_says_nothing_new_is_written_as_it_always_was() -> None:
    """So that recordings of venues without it stay readable by the version before."""
    _, data = encode(
        Connected(1, "fake", 0, ConnectionPlan("p", "wss://x", (Topic("t", Channel.TICKER, ("BTC",), 5.0),)))
    )
    assert orjson.loads(data) == {
        "venue": "fake",
        "connection": 0,
        "name": "p",
        "url": "wss://x",
        "topics": [{"key": "t", "channel": "ticker", "symbols": ["BTC"], "silence_seconds": 5.0}],
    }
    _, data = encode(RestReplied(1, "fake", RestRequest("poll", "https://x", 1, "BTC", "oi"), b"{}"))
    assert orjson.loads(data)["request"] == {
        "purpose": "poll",
        "url": "https://x",
        "weight": 1,
        "symbol": "BTC",
        "key": "oi",
    }


def test_a_venue_nobody_knows_is_named() -> None:
    with pytest.raises(RecordingError, match=r"'mtgox'.*upgrade"):
        registry_topic("mtgox", "book")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"venue":1', b'{"venue":"x","instruments":[{}],"refused":[]}'])
def test_a_foreign_message_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(RecordingError, match="instruments_listed message"):
        decode("instruments_listed", 1, data, topic_of)
    with pytest.raises(RecordingError, match="nonsense message"):
        decode("nonsense", 1, b"{}", topic_of)


def test_the_stock_reader_reads_our_files_by_index_and_in_order(tmp_path: Path) -> None:
    events = sample_events()
    path = write_file(tmp_path / "x.mcap", events, flush_every=3)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "undertow"
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == len(events)
        assert summary.statistics.chunk_count == 4
        assert [m.name for m in reader.iter_metadata()] == ["undertow"]
        messages = list(reader.iter_messages())
        assert [m.log_time for _, _, m in messages] == [e.at for e in events]
        frames = [m.data for _, channel, m in messages if channel.topic == "frames/fake/0"]
        assert frames == [e.data for e in events if isinstance(e, FrameReceived)]
        only = [m.log_time for _, _, m in reader.iter_messages(topics="events/connected")]
        assert only == [events[1].at]
        schemas = {s.name for s, _, _ in messages if s is not None}
        assert "undertow.recording.connected.v1" in schemas


def test_every_chunk_reads_alone(tmp_path: Path) -> None:
    """Each chunk repeats its channels, so that damage to one costs no other."""
    from mcap.records import Channel as ChannelRecord
    from mcap.records import Chunk, Message
    from mcap.stream_reader import StreamReader, breakup_chunk

    path = write_file(tmp_path / "x.mcap", sample_events(), flush_every=2)
    chunks = 0
    for record in StreamReader(io.BytesIO(path.read_bytes()), emit_chunks=True, validate_crcs=True).records:
        if isinstance(record, Chunk):
            chunks += 1
            inside = breakup_chunk(record, validate_crc=True)
            declared = {r.id for r in inside if isinstance(r, ChannelRecord)}
            assert {r.channel_id for r in inside if isinstance(r, Message)} == declared
    assert chunks == 5


def test_instrument_decimals_keep_their_text(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x.mcap", sample_events()[:1])
    (event,) = Recording(path, topic_of=topic_of).events()
    assert isinstance(event, InstrumentsListed)
    assert str(event.instruments[0].tick_size) == "0.10"
    assert event.instruments[0].scale.price.step == Decimal("0.1")
