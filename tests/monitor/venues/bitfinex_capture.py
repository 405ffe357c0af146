"""The captured Bitfinex connection through listing, session and lanes as the service has them, with checksums made of the raw tokens."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import orjson
from venue_forms import lines

from engines.book.live_book import LiveBook
from monitor.book_lane import BookLane
from monitor.facts import Channel, Instrument
from monitor.feed.session import ConnectionSession
from monitor.grids import worth_of
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import Acked, ConnectionPlan, Topic
from monitor.venues.bitfinex import Bitfinex

Held = tuple[dict[Decimal, list[str]], dict[Decimal, list[str]]]  # bids and asks: price -> price and size as written
PAPER = ["tTESTBTC:TESTUSD", 60400, 76, 60406, 86, 0, 0, 60410, 10, 62408, 60057]


class Capture:
    """Counts what the service would; `held` is the plainest book of every topic."""

    def __init__(self, venue: Bitfinex, shared_data: Path) -> None:
        self.venue = venue
        path = shared_data / "cryptofeed-samples" / "bitfinex_v2.jsonl.gz"
        self.raw = [str(line["raw"]).encode() for line in lines(path) if line["k"] == "recv"]
        acks = [
            said for frame in self.raw if frame[:1] == b"{" for said in venue.control(frame) if isinstance(said, Acked)
        ]
        topics = tuple(topic for ack in acks if (topic := venue.topic(ack.keys[0])) is not None)
        self.session = ConnectionSession(venue, 0, ConnectionPlan("capture", "wss://x", topics), 0, 1)
        for second in range(5):  # at our pace, all is asked for by then
            self.session.tick(second * 10**9)
        self.instruments = self._listed()
        self.lanes: dict[str, BookLane] = {}
        self.trade_lanes: dict[str, TradeLane] = {}
        self.held: dict[str, Held] = defaultdict(lambda: ({}, {}))
        self.frames = self.book_frames = self.trade_frames = self.checksums = 0

    def _listed(self) -> dict[str, Instrument]:
        """From the tickers of the capture, and the paper market, which no listing gives."""
        names = {
            m["chanId"]: m["symbol"]
            for m in map(orjson.loads, self.raw)
            if isinstance(m, dict) and m.get("channel") == "ticker"
        }
        rows = {
            m[0]: m[1]
            for m in map(orjson.loads, reversed(self.raw))
            if isinstance(m, list) and m[0] in names and m[1] != "hb"
        }
        request = self.venue.instrument_requests([])[0]
        paper = [["tTSTBTC:TESTUSD", *PAPER[1:]]]
        found, _ = self.venue.parse_instruments(
            request, orjson.dumps([*([names[number], *row] for number, row in rows.items()), PAPER, *paper])
        )
        markets = {market.symbol: market for market in found}
        assert "tTESTBTC:TESTUSD" not in markets
        markets["tTESTBTC:TESTUSD"] = markets.pop("tTSTBTC:TESTUSD")
        return markets

    def run(self) -> None:
        for at, frame in enumerate(self.raw, start=5 * 10**9):
            self.frames += 1
            topic = self.session.route(frame, at)
            if topic is None:
                continue
            if topic.channel is Channel.BOOK:
                self._book(topic, frame, at)
            elif topic.channel is Channel.TRADES:
                self.trade_frames += 1
                self._trade_lane(topic).frame(frame, 1.0)

    def _book(self, topic: Topic, frame: bytes, at: int) -> None:
        self.book_frames += 1
        lane = self.lanes.get(topic.key) or self._lane(topic)
        lane.frame(frame, at)
        channel, body, number = json.loads(frame, parse_float=str, parse_int=str)
        if body == "hb":
            return
        self._hold(topic.key, body if isinstance(body[0], list) else [body])
        self.checksums += 1
        lane.frame(b'[%b,"cs",%d,%b]' % (channel.encode(), self._checksum(topic.key), number.encode()), at)

    def _hold(self, key: str, rows: list[list[str]]) -> None:
        for price, count, size in rows:
            side = self.held[key][size.startswith("-")]
            if count == "0":
                assert side.pop(Decimal(price), None) is not None, f"{price} is gone and was not there"
            else:
                side[Decimal(price)] = [price, size]

    def _checksum(self, key: str) -> int:
        bids, asks = self.held[key]
        sides = [[side[price] for price in sorted(side, reverse=side is bids)[:25]] for side in (bids, asks)]
        words = [word for place in range(25) for side in sides if place < len(side) for word in side[place]]
        found = crc32(":".join(words).encode())
        return found - (1 << 32) if found >> 31 else found

    def books_equal(self) -> bool:
        """Every level of every book within reach."""
        return all(self._equal(key, lane.book) for key, lane in self.lanes.items())

    def _equal(self, key: str, book: LiveBook) -> bool:
        price, size = book.scale.price.step, book.scale.size.step
        for side, held in zip(("bid", "ask"), self.held[key], strict=True):
            mine = {tick * price: lots * size for tick, lots in book.levels_of(side).tolist()}  # type: ignore[arg-type]
            theirs = {at: abs(Decimal(row[1])) for at, row in held.items()}
            beyond = {at for at in theirs.keys() - mine.keys() if side == "ask" and at > 2 * min(theirs)}
            if {at: theirs[at] for at in theirs.keys() - beyond} != mine:
                return False
        return True

    # -- what the hub makes
    def _lane(self, topic: Topic) -> BookLane:
        instrument, policy = self.instruments[topic.symbols[0]], self.venue.book
        assert topic.book is not None
        book = LiveBook(
            scale=instrument.scale,
            market=instrument.symbol,
            grammar=topic.book,
            rule=policy.sequence,
            changes_at_any_price=policy.changes_at_any_price,
            window=topic.window if topic.window is not None else policy.window,
            checksum=policy.checksum,
            crossing=policy.crossing,
            worth=worth_of(instrument, instrument.scale),
        )
        lane = self.lanes[topic.key] = BookLane(self.venue, instrument, topic, book)
        return lane

    def _trade_lane(self, topic: Topic) -> TradeLane:
        instrument = self.instruments[topic.symbols[0]]
        if topic.key not in self.trade_lanes:
            self.tally = TradeTally()
            self.trade_lanes[topic.key] = TradeLane(instrument, topic, instrument.scale, self.tally)
        return self.trade_lanes[topic.key]

    @property
    def trades(self) -> int:
        return sum(self.tally.count.values())
