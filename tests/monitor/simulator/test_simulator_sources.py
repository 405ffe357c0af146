"""The other sources behind the same servers: a recording, and a load."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import aiohttp
import orjson
import pytest
from sim_reader import BookReader, true_levels
from websockets.asyncio.client import connect

from monitor.errors import RecordingError, RetryLater, SettingsError
from monitor.facts import Channel, Instrument, Liquidation
from monitor.simulator.load_source import FRAME_LEVELS, LoadSource
from monitor.simulator.recording_source import Recorded, RecordedFrame, RecordedReply, RecordingSource
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario
from monitor.simulator.service import VenueHost
from monitor.venues.base import RestRequest, Venue, replace_origin
from monitor.venues.registry import VENUES

BINANCE, BYBIT, OKX = "binance_usdm", "bybit_linear", "okx_swap"
KEYS = {BINANCE: "btcusdt@depth@100ms", BYBIT: "orderbook.1000.BTCUSDT", OKX: "books:BTC-USDT-SWAP"}
START = 1_700_000_000_000_000_000


def record(seconds: int) -> tuple[list[Recorded], ScenarioSource]:
    """A short recording of a calm scenario, Binance in the combined envelope as its sockets give it."""
    source = ScenarioSource(scenario("calm"), seed=2, epoch_ns=START, assets=("BTC",))
    entries: list[Recorded] = []
    for venue, key in KEYS.items():
        entries += [RecordedFrame(START, venue, key, data) for data in source.opening(venue, key)]
    while source.world.now_ms < seconds * 1000:
        for frame in source.step():
            data = frame.data
            if frame.venue == BINANCE:
                data = b'{"stream":"' + frame.key.encode() + b'","data":' + data + b"}"
            entries.append(RecordedFrame(START + source.world.now_ms * 1_000_000, frame.venue, frame.key, data))
        if source.world.now_ms == 500:
            reply = source.rest(BINANCE, "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "1000"})
            assert reply is not None
            address = "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
            entries.append(RecordedReply(START + 500_000_000, BINANCE, address, reply.body))
    return entries, source


def instruments() -> dict[str, list[Instrument]]:
    def one(venue: str, symbol: str, lot: str, contract: str = "1") -> Instrument:
        return Instrument(
            venue,
            symbol,
            "BTC",
            "USDT",
            "USDT",
            "linear",
            Decimal("0.1"),
            Decimal(lot),
            contract_size=Decimal(contract),
        )

    return {
        BINANCE: [one(BINANCE, "BTCUSDT", "0.001")],
        BYBIT: [one(BYBIT, "BTCUSDT", "0.001")],
        OKX: [one(OKX, "BTC-USDT-SWAP", "0.01", "0.01")],
    }


def test_a_recording_plays_byte_for_byte_and_late_comers_get_the_book_of_that_moment() -> None:
    entries, truth = record(6)
    source = RecordingSource(lambda: entries, instruments())
    assert list(source.advance(10_000_000_000)) == []  # waits for the first subscriber
    for venue, key in KEYS.items():
        assert source.knows(venue, key)
        assert source.opening(venue, key) == []
        source.started_by(venue, key)
    early = {venue: BookReader(venue) for venue in KEYS}
    late = {venue: BookReader(venue) for venue in KEYS}
    sent = []
    for elapsed in range(10_000, 20_000, 50):
        for frame in source.advance(elapsed * 1_000_000):
            sent.append(frame)
            if frame.key == KEYS[frame.venue]:
                early[frame.venue].frame(frame.data)
                if elapsed > 13_000:
                    late[frame.venue].frame(frame.data)
        if elapsed in (12_000, 13_500):
            reply = source.rest(BINANCE, "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "1000"})
            assert reply is not None
            (early if elapsed == 12_000 else late)[BINANCE].snapshot_reply(reply.body)
        if elapsed == 13_000:
            for venue in (BYBIT, OKX):
                (opening,) = source.opening(venue, KEYS[venue])
                late[venue].frame(opening)
    assert source.finished
    recorded_frames = [entry for entry in entries if isinstance(entry, RecordedFrame)]
    assert len(sent) == len(recorded_frames)
    for out, entry in zip(sent, recorded_frames, strict=True):
        assert out.key == entry.key
        assert out.data == entry.data or b'"data":' + out.data + b"}" == entry.data[-len(out.data) - 8 :]
    for venue in KEYS:
        symbol = "BTC-USDT-SWAP" if venue == OKX else "BTCUSDT"
        market = truth.world.markets[venue, symbol]
        for reader in (early[venue], late[venue]):
            assert reader.gaps == 0, venue
            if venue == BINANCE:
                best = true_levels(market, 1, 100)
                assert {price: reader.bids[price] for price in best} == best
            else:
                assert reader.bids == true_levels(market, 1, 1000 if venue == BYBIT else 400)


def test_a_book_recorded_at_another_speed_or_depth_serves_the_one_asked_for() -> None:
    frames: list[Recorded] = [
        RecordedFrame(
            1, BYBIT, "orderbook.500.BTCUSDT", b'{"topic":"orderbook.500.BTCUSDT","type":"snapshot","data":{}}'
        ),
        RecordedFrame(2, BINANCE, "raw:btcusdt@depth@0ms", b'{"e":"depthUpdate"}'),
    ]
    source = RecordingSource(lambda: frames, instruments())
    for venue, key in ((BYBIT, "orderbook.1000.BTCUSDT"), (BINANCE, "btcusdt@depth@100ms")):
        assert source.knows(venue, key)
        source.started_by(venue, key)
    out = {(f.venue, f.key): f.data for f in source.advance(10**10)}
    assert out[BYBIT, "orderbook.1000.BTCUSDT"].startswith(b'{"topic":"orderbook.1000.BTCUSDT"')
    assert out[BINANCE, "btcusdt@depth@100ms"] == b'{"e":"depthUpdate"}'


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(RecordingError, match="no frame"):
        RecordingSource(list, {})


# -- load
def test_load_frames_are_valid_in_sequence_and_their_books_equal_the_truth() -> None:
    source = LoadSource(markets=9, rate=5_000, epoch_ns=START)
    readers: dict[tuple[str, str], BookReader] = {}
    names: dict[tuple[str, str], str] = {}
    for venue, listed in source.instruments.items():
        for each in listed:
            key = {BINANCE: f"{each.symbol.lower()}@depth@100ms", BYBIT: f"orderbook.1000.{each.symbol}"}.get(
                venue, f"books:{each.symbol}"
            )
            assert source.knows(venue, key)
            reader = readers[venue, key] = BookReader(venue, look_every=40)
            names[venue, key] = each.symbol
            for opening in source.opening(venue, key):
                reader.frame(opening)
            if venue == BINANCE:
                reply = source.rest(venue, "/fapi/v1/depth", {"symbol": each.symbol})
                assert reply is not None
                reader.snapshot_reply(reply.body)
    sizes: Counter[int] = Counter()
    for frame in source.advance(300_000_000):
        found = readers.get((frame.venue, frame.key))
        if found is not None:
            found.frame(frame.data)
            if frame.venue == BINANCE:
                message = orjson.loads(frame.data)
                sizes[len(message["b"]) + len(message["a"])] += 1
    assert sum(sizes.values()) > 400
    assert set(sizes) == set(FRAME_LEVELS)
    for (venue, key), reader in readers.items():
        assert (reader.gaps, reader.crossed) == (0, 0)
        bids, asks = source.levels(venue, names[venue, key])
        first = Decimal("70000.0")
        assert reader.bids == {
            first - n * Decimal("0.1"): q * Decimal("0.001") for n, q in enumerate(bids.tolist()) if q
        }
        assert len(reader.asks) == int((asks > 0).sum())


def test_a_load_out_of_bounds_is_refused() -> None:
    with pytest.raises(SettingsError):
        LoadSource(markets=0, epoch_ns=0)


# -- the venue modules against the simulated venues
class Client:
    """The least a client does: lists instruments, subscribes to everything the venue module plans, and reads."""

    def __init__(self, venue: Venue, origin: dict[str, str], symbols: list[str]) -> None:
        self.venue, self.origin, self.symbols = venue, origin, symbols
        self.instruments: list[Instrument] = []
        self.seen: Counter[Channel] = Counter()
        self.acks: set[str] = set()
        self.requests: set[int] = set()
        self.liquidations: list[Liquidation] = []
        self.replies: dict[str, bytes] = {}
        self.missing = 0

    async def fetch(self, http: aiohttp.ClientSession, request: RestRequest) -> bytes:
        async with http.get(replace_origin(request.url, self.origin["rest_origin"])) as reply:
            body = await reply.read()
            headers = {name.lower(): value for name, value in reply.headers.items()}
            self.venue.check_reply(request, reply.status, headers, body)
            return body

    async def prepare(self) -> None:
        async with aiohttp.ClientSession() as http:
            todo = self.venue.instrument_requests(self.symbols)
            while todo:
                request = todo.pop(0)
                listed, following = self.venue.parse_instruments(request, await self.fetch(http, request))
                self.instruments += [each for each in listed if each.symbol in self.symbols]
                todo += [following] if following else []
            assert [each.symbol for each in self.instruments] == self.symbols
            assert all(each.trading for each in self.instruments)
            for each in self.instruments:
                polls = [poll.request for poll in self.venue.polls(each)]
                for wanted in (self.venue.snapshot_request(each), self.venue.deep_request(each), *polls):
                    if wanted is not None:
                        try:
                            body = await self.fetch(http, wanted)
                        except RetryLater:  # not in the recording
                            self.missing += 1
                            continue
                        self.replies[wanted.purpose] = body
                        if wanted.purpose == "poll":
                            assert self.venue.parse_poll(wanted, body)

    async def listen(self, done: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            for plan in self.venue.connections(self.instruments):
                group.create_task(self._connection(plan, done))

    async def _connection(self, plan, done: Callable[[], bool]) -> None:
        url = replace_origin(plan.url, self.origin["ws_origin"])
        async with connect(url, proxy=None, compression=None, max_size=None) as ws:
            most = self.venue.limits.topics_per_frame
            for start in range(0, len(plan.topics), most):
                await ws.send(self.venue.subscribe(plan.topics[start : start + most], start + 1))
            while not done():
                try:
                    self._frame((await asyncio.wait_for(ws.recv(), 0.5)).encode())
                except TimeoutError:
                    continue

    def _frame(self, frame: bytes) -> None:
        quick = self.venue.frame_key(frame)
        key = quick.decode() if quick is not None else self.venue.slow_frame_key(frame)
        if key is None:
            for control in self.venue.control(frame):
                assert type(control).__name__ in ("Acked", "Pong"), control
                self.acks.update(getattr(control, "keys", ()))
                if getattr(control, "request_id", None) is not None:
                    self.requests.add(control.request_id)
            return
        topic = self.venue.topic(key)
        assert topic is not None, key
        self.seen[topic.channel] += 1
        if topic.channel not in (Channel.BOOK, Channel.TRADES):
            facts = self.venue.parse(topic, frame)
            self.liquidations += [fact for fact in facts if isinstance(fact, Liquidation)]


async def test_a_recording_is_served_over_the_venues_protocol() -> None:
    entries, _ = record(3)
    source = RecordingSource(lambda: entries, instruments(), speed=4)
    async with VenueHost(source, list(KEYS)) as host:
        listed = {venue: [each.symbol for each in mine] for venue, mine in instruments().items()}
        clients = [Client(VENUES[venue], origin, listed[venue]) for venue, origin in host.origins.items()]
        for client in clients:
            await client.prepare()
            # The deep book and what is polled were not recorded.
            (each,) = client.instruments
            deep = client.venue.deep_request(each) is not None
            assert client.missing == len(client.venue.polls(each)) + deep
        await asyncio.gather(*(client.listen(lambda: source.finished) for client in clients))
        for client in clients:
            assert client.seen[Channel.BOOK] > 10
            assert client.acks or client.requests
