"""Mangled frames and replies: whatever a venue sends, a venue module answers with facts or with an error of the house."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_forms import FORMS, GOOD, sample_instruments

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


def twice_keyed(frame: bytes) -> bool:
    """Whether some object of the frame has a key twice."""
    found = []

    def pairs(members: list[tuple[str, Any]]) -> None:
        found.append(len(members) != len({name for name, _ in members}))

    try:
        json.loads(frame, object_pairs_hook=pairs)
    except ValueError:
        return True
    return any(found)


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
        said = venue.slow_frame_key(frame)
        assert said == key or (said is not None and venue.topic(said) is None), "its key, or a connection's alias"
        if topic.channel in (Channel.TICKER, Channel.LIQUIDATIONS, Channel.STATUS):
            assert len(venue.parse(topic, frame)) >= 1


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
        if cheap is not None and not twice_keyed(frame):
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
    batch = topics[: venue.limits.topics_per_frame]
    good = [FORMS[venue.name].REFUSAL, *FORMS[venue.name].acks(orjson.loads(venue.subscribe(batch, 3)))]
    frame = data.draw(mangled(good) | JSON.map(orjson.dumps) | st.binary(max_size=60))
    answers(lambda: venue.control(frame))


@EVERY
@QUICK
@given(data=st.data())
def test_replies(venue: Venue, data: st.DataObject) -> None:
    good = [frame for key, frame in GOOD[venue.name].items() if key.startswith("rest:")]
    assert good, "a reply to mangle"
    body = data.draw(mangled(good) | JSON.map(orjson.dumps) | st.binary(max_size=60))
    request = venue.instrument_requests([])[0]
    market = sample_instruments(venue, 1)[0]

    def pages() -> None:
        _, following = venue.parse_instruments(request, body)
        if following is not None:
            venue.parse_instruments(following, data.draw(mangled(good)))

    answers(pages)
    for poll in (*venue.polls(market), *venue.signed_polls(market), *venue.venue_polls([market])):
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
