"""Mangled frames and replies: whatever a venue sends, a venue module answers with facts or with an error of the house."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_forms import ACKS, REFUSALS, sample_instruments

from monitor.errors import FrameError, VenueError
from monitor.facts import Channel
from monitor.venues.base import Topic, Venue
from monitor.venues.registry import VENUES

EVERY = pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES.keys())
QUICK = settings(max_examples=150, deadline=None)

# Words that steer into the parsers, so that mangling reaches beyond the first key.
WORD_LIST = """
data arg stream topic e s o S X z ap p T E r i st channel instId instType details side posSide sz bkPx ts SELL BUY Buy Sell FILLED
forceOrder markPriceUpdate contractInfo BTCUSDT BTC-USDT-SWAP BTC-USDT result id code msg success ret_msg op req_id event error notice
64008 60018 subscribe pong symbols symbol list nextPageCursor filters 0 1 -1 1e9 NaN 99999999999999999999 serverShutdown
error:already_subscribed,topic:a channel:a,instId:b symbol=4 btcusdt@forceOrder
"""
WORDS = st.sampled_from(WORD_LIST.split())
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6)
)

# One good frame or reply of each kind, to mangle: by venue, topic key ("" = control) or "rest:...".
GOOD: dict[str, dict[str, bytes]] = {
    "binance_usdm": {
        "btcusdt@markPrice@1s": b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT",'
        b'"p":"11794.1","i":"11784.6","P":"1","r":"0.0003","T":1562306400000,"st":1}}',
        "btcusdt@forceOrder": b'{"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"SELL","q":"1",'
        b'"p":"9910","ap":"9911","X":"FILLED","l":"1","z":"1","T":1568014460893},"st":1}}',
        "raw:btcusdt@forceOrder": b'{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT","S":"BUY","p":"9","ap":"0","X":"FILLED","z":"1","T":15}}',
        "!contractInfo": b'{"stream":"!contractInfo","data":{"e":"contractInfo","E":1669356423908,"s":"IOTAUSDT","cs":"TRADING"}}',
        "rest:instruments": b'{"symbols":[{"symbol":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":'
        b'"USDT","marginAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1"}]}]}',
        "rest:instruments:first": b'[{"symbol":"BLZUSDT","fundingIntervalHours":4}]',
        "rest:poll": b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}',
        "rest:error": b'{"code":-1121,"msg":"Invalid symbol."}',
    },
    "bybit_linear": {
        "tickers.BTCUSDT": b'{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"1.5","indexPrice":"2",'
        b'"fundingRate":"0.1","nextFundingTime":"1673280000000","fundingIntervalHour":"8","singleOpenInterest":"5"},"cs":2,"ts":1673272861686}',
        "allLiquidation.BTCUSDT": b'{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
        b'"s":"BTCUSDT","S":"Sell","v":"20000","p":"0.04499"}]}',
        "rest:instruments": b'{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSDT","status":"Trading","baseCoin":"BTC","quoteCoin":'
        b'"USDT","settleCoin":"USDT","priceFilter":{"tickSize":"0.1"},"lotSizeFilter":{"qtyStep":"1"},"fundingInterval":480}],"nextPageCursor":"a"}}',
        "rest:error": b'{"retCode":10001,"retMsg":"params error"}',
    },
    "okx_swap": {
        "mark-price:BTC-USDT-SWAP": b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","markPx":"1",'
        b'"oi":"5","fundingRate":"0.1","fundingTime":"1785110400000","nextFundingTime":"1785139200000","ts":"1785096000123"}]}',
        "index-tickers:BTC-USDT": b'{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","idxPx":"1","ts":"15"}]}',
        "liquidation-orders:SWAP": b'{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkPx":"0.007831","posSide":'
        b'"short","side":"buy","sz":"13","ts":"1692266434010"}],"instFamily":"IOST-USDT","instId":"IOST-USDT-SWAP","instType":"SWAP"}]}',
        "status": b'{"arg":{"channel":"status"},"data":[{"begin":"1672823400000","end":"","serviceType":"0","state":"ongoing","title":"t","env":"1",'
        b'"ts":"1672826038470"}]}',
        "instruments:SWAP": b'{"arg":{"channel":"instruments","instType":"SWAP"},"data":[{"instId":"BTC-USDT-SWAP","state":"live"}]}',
        "rest:instruments": b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instFamily":"BTC-USDT","ctType":"linear","ctVal":"0.01","ctValCcy":"BTC",'
        b'"ctMult":"1","settleCcy":"USDT","tickSz":"0.1","lotSz":"1","state":"live"}]}',
        "rest:error": b'{"code":"51001","msg":"no such instrument"}',
    },
}  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    here: list[tuple[Any, Any]] = []
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []:
        here.append((value, key))
        here.extend(places(value[key]))
    return here


@st.composite
def mangled(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """A good frame with some members replaced or taken out, then perhaps cut or with a byte changed."""
    value = copy.deepcopy(orjson.loads(draw(st.sampled_from(good))))
    for _ in range(draw(st.integers(0, 3))):
        spots = places(value)
        if not spots:
            break
        container, key = draw(st.sampled_from(spots))
        if draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = draw(JSON)
    frame = orjson.dumps(value)
    if draw(st.integers(0, 3)) == 0 and frame:
        at = draw(st.integers(0, len(frame)))
        frame = frame[:at] + draw(st.binary(max_size=3)) + frame[at + draw(st.integers(0, 3)) :]
    return frame


def answers(call: Callable[[], object]) -> None:
    """Runs it; only errors of the house may come out, each on one printable line."""
    said = "nothing wrong"
    try:
        call()
    except (FrameError, VenueError) as error:
        said = str(error)
    assert said
    assert said.isprintable()


def cold_topics(venue: Venue) -> list[Topic]:
    keys = [key for key in GOOD[venue.name] if not key.startswith("rest:")]
    topics = [topic for plan in venue.connections(sample_instruments(venue, 1)) for topic in plan.topics]
    return [*topics, *(topic for key in keys if (topic := venue.topic(key)) is not None)]


@EVERY
def test_the_good_ones_are_good(venue: Venue) -> None:
    """The fuzz starts from frames that parse: else it would only show that nothing does."""
    for key, frame in GOOD[venue.name].items():
        if key.startswith("rest:"):
            continue
        topic = venue.topic(key)
        assert topic is not None
        assert venue.slow_frame_key(frame) == key
        assert len(venue.parse(topic, frame)) >= 1
        assert topic.channel in (Channel.TICKER, Channel.LIQUIDATIONS, Channel.STATUS)


@EVERY
@QUICK
@given(data=st.data())
def test_frames(venue: Venue, data: st.DataObject) -> None:
    good = [frame for key, frame in GOOD[venue.name].items() if not key.startswith("rest:")]
    frame = data.draw(mangled(good) | JSON.map(orjson.dumps) | st.binary(max_size=60))
    cheap = venue.frame_key(frame)
    try:
        slow = venue.slow_frame_key(frame)
    except FrameError:
        slow = None
    else:
        # Two keys of the same name in one object: the cheap look sees the first, a parser keeps the last.
        if cheap is not None and frame.count(b'"stream"') + frame.count(b'"topic"') + frame.count(b'"arg"') == 1:
            assert slow is None or cheap.decode() == slow
    if slow is not None:
        venue.topic(slow)
    answers(lambda: venue.control(frame))
    for topic in cold_topics(venue):
        answers(lambda topic=topic: venue.parse(topic, frame))  # type: ignore[misc]


@EVERY
@QUICK
@given(data=st.data())
def test_control_frames(venue: Venue, data: st.DataObject) -> None:
    topics = venue.connections(sample_instruments(venue, 1))[0].topics
    good = [REFUSALS[venue.name], *ACKS[venue.name](orjson.loads(venue.subscribe(topics, 3)))]
    frame = data.draw(mangled(good) | JSON.map(orjson.dumps) | st.binary(max_size=60))
    answers(lambda: venue.control(frame))


@EVERY
@QUICK
@given(data=st.data())
def test_replies(venue: Venue, data: st.DataObject) -> None:
    good = [frame for key, frame in GOOD[venue.name].items() if key.startswith("rest:")]
    body = data.draw(mangled(good) | JSON.map(orjson.dumps) | st.binary(max_size=60))
    request = venue.instrument_requests([])[0]
    market = sample_instruments(venue, 1)[0]

    def pages() -> None:
        _, following = venue.parse_instruments(request, body)
        if following is not None:
            venue.parse_instruments(following, data.draw(mangled(good)))

    answers(pages)
    for poll in venue.polls(market):
        answers(lambda poll=poll: venue.parse_poll(poll.request, body))  # type: ignore[misc]
    status = data.draw(st.sampled_from([200, 201, 301, 400, 403, 404, 418, 429, 451, 500, 503]))
    headers = {"retry-after": data.draw(st.text(max_size=5) | st.sampled_from(["1", "0", "9" * 13]))}
    answers(lambda: venue.check_reply(request, status, headers, body))


@EVERY
@QUICK
@given(key=st.text(max_size=40) | st.lists(WORDS, max_size=3).map(".".join))
def test_any_text_as_a_key(venue: Venue, key: str) -> None:
    topic = venue.topic(key)
    assert topic is None or topic.key == key
