"""What every registered venue must keep, whatever its protocol: new venues get these tests by being registered."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlsplit

import orjson
import pytest
from venue_forms import FORMS, sample_instruments

from engines.wire import layout
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.facts import Channel
from monitor.venues.base import Acked, Pong, Refused, RestRequest, Topic, Venue, replace_origin
from monitor.venues.packing import ARGUMENT_OVERHEAD
from monitor.venues.registry import VENUES

EVERY = pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES.keys())
COUNTS = (1, 2, 3, 60, 300)


def all_topics(venue: Venue, count: int) -> list[Topic]:
    return [topic for plan in venue.connections(sample_instruments(venue, count)) for topic in plan.topics]


def batches(venue: Venue, topics: tuple[Topic, ...]) -> list[tuple[Topic, ...]]:
    size = venue.limits.topics_per_frame
    return [topics[at : at + size] for at in range(0, len(topics), size)]


@EVERY
def test_a_venue_is_registered_under_its_own_name_and_describes_itself(venue: Venue) -> None:
    assert VENUES[venue.name] is venue
    assert re.fullmatch(r"[a-z0-9_]+", venue.name)
    assert venue.title
    assert venue.verification
    assert venue.contract_types
    assert set(venue.contract_types) <= {"spot", "linear", "inverse"}
    assert venue.liquidation_coverage in ("complete", "sampled", "inferred", "none")
    assert venue.checked.isoformat() in __import__(type(venue).__module__, fromlist=["x"]).__doc__


@EVERY
def test_the_symbol_pattern_takes_the_example_and_refuses_what_is_none(venue: Venue) -> None:
    pattern = re.compile(venue.symbol_pattern)
    assert pattern.fullmatch(venue.symbol_example)
    for wrong in ("", " ", venue.symbol_example + " ", "BTC/USDT/PERP", "btc usdt", '"', "BTC\nUSDT", "x" * 200):
        assert not pattern.fullmatch(wrong), wrong


@EVERY
def test_no_markets_need_no_connection(venue: Venue) -> None:
    assert venue.connections([]) == []


@EVERY
@pytest.mark.parametrize("count", COUNTS)
def test_connections_stay_within_the_limits(venue: Venue, count: int) -> None:
    plans = venue.connections(sample_instruments(venue, count))
    assert plans
    assert len({plan.name for plan in plans}) == len(plans)
    for plan in plans:
        assert 0 < len(plan.topics) <= venue.limits.topics_per_connection
        assert urlsplit(plan.url).scheme == "wss"
        characters = sum(len(topic.key) + ARGUMENT_OVERHEAD for topic in plan.topics)
        most = venue.limits.args_characters_per_connection
        assert most is None or characters <= most
        if venue.limits.operations_per_hour is not None:
            assert len(batches(venue, plan.topics)) * 4 <= venue.limits.operations_per_hour, "no room left for resyncs"


@EVERY
@pytest.mark.parametrize("count", COUNTS)
def test_every_market_gets_its_book_trades_and_what_the_venue_has_of_liquidations_once(
    venue: Venue, count: int
) -> None:
    instruments = sample_instruments(venue, count)
    topics = all_topics(venue, count)
    assert len({topic.key for topic in topics}) == len(topics), "a topic is asked twice"
    for channel in (Channel.BOOK, Channel.TRADES):
        mine = [topic for topic in topics if topic.channel is channel and topic.significant_figures is None]
        covered = sorted(symbol for topic in mine for symbol in topic.symbols)
        assert covered == sorted(instrument.symbol for instrument in instruments)
    if venue.liquidation_coverage in ("complete", "sampled"):
        liquidations = [topic for topic in topics if topic.channel is Channel.LIQUIDATIONS or topic.facts_when]
        covered = sorted(symbol for topic in liquidations for symbol in topic.symbols)
        everything = any(topic.symbols == () for topic in liquidations)
        assert everything or covered == sorted(instrument.symbol for instrument in instruments)


@EVERY
def test_connections_do_not_depend_on_the_order_or_repetition_of_the_markets(venue: Venue) -> None:
    instruments = sample_instruments(venue, 60)
    expected = venue.connections(instruments)
    assert venue.connections(instruments[::-1]) == expected
    assert venue.connections([*instruments[30:], *instruments]) == expected


@EVERY
def test_a_key_stands_for_its_topic(venue: Venue) -> None:
    for topic in all_topics(venue, 60):
        assert venue.topic(topic.key) == topic
    for unknown in ("", "nothing", "@", "!", ".", ":", "nothing.BTCUSDT", "btcusdt@nothing", "nothing:BTC-USDT-SWAP"):
        assert venue.topic(unknown) is None, unknown


@EVERY
def test_hot_topics_carry_their_grammar_and_books_have_a_longest_silence(venue: Venue) -> None:
    for topic in all_topics(venue, 3):
        assert (topic.book is not None) == (topic.channel is Channel.BOOK)
        assert (topic.trades is not None) == (topic.channel is Channel.TRADES)
        longest = max(600, 3 * (venue.book.refresh_seconds or 0))  # a quiet book speaks at least with each refresh
        assert topic.silence_seconds is None or 1 < topic.silence_seconds <= longest
        assert topic.first_seconds is None or 1 < topic.first_seconds <= 60
        if topic.channel is Channel.BOOK:
            assert topic.silence_seconds or topic.first_seconds, "a book that never comes must be noticed"
            assert topic.silence_seconds or venue_shows_life(venue), "a silent book must be noticed"
            assert (topic.cadence_seconds is not None) == (venue.book.sequence.mechanism == "snapshots")
        if topic.channel in (Channel.TRADES, Channel.LIQUIDATIONS, Channel.STATUS):
            assert topic.silence_seconds is None, "nothing to say is normal"


def venue_shows_life(venue: Venue) -> bool:
    """Whether a dead connection shows without any topic: by a pong that does not come, or by silence where it always speaks."""
    return venue.limits.ping.text is not None or venue.limits.silence_seconds is not None


@EVERY
def test_late_frames_can_be_told(venue: Venue) -> None:
    """Some hot frame of each market says when the venue sent it: lag is measured on it."""
    timed = set()
    topics = all_topics(venue, 3)
    for topic in topics:
        if topic.trades is not None:
            timed.update(topic.symbols)
        for grammar in () if topic.book is None else (topic.book, *topic.book.alternates):
            if any(field.slot == layout.EVENT_TIME for field in grammar.integers):
                timed.update(topic.symbols)
    assert timed == {symbol for topic in topics for symbol in topic.symbols if topic.channel is Channel.BOOK}


@EVERY
def test_a_book_shows_in_the_same_frame_that_something_is_missing(venue: Venue) -> None:
    """By ids, a checksum, the numbers of the connection, or because every frame is the whole book."""
    rule = venue.book.sequence
    assert rule.mechanism != "unsequenced" or venue.book.checksum or venue.sequenced
    needed = {
        "range_with_previous": (layout.FIRST_ID, layout.LAST_ID, layout.PREVIOUS_ID),
        "range": (layout.FIRST_ID, layout.LAST_ID),
        "counter": (layout.LAST_ID,),
        "linked": (layout.LAST_ID, layout.PREVIOUS_ID),
        "snapshots": (layout.EVENT_TIME,),
        "unsequenced": (),
    }[rule.mechanism]
    for topic in all_topics(venue, 2):
        if topic.book is not None:
            there = {field.slot for field in topic.book.integers}
            assert there.issuperset(needed), topic.key


@EVERY
def test_margin_tiers_come_from_the_venue_or_from_its_documentation_with_a_date(venue: Venue) -> None:
    market = sample_instruments(venue, 1)[0]
    polled = [poll for poll in (*venue.polls(market), *venue.venue_polls([market])) if "tier" in poll.request.key]
    documented = venue.documented_tiers(market)
    if venue.contract_types == ("spot",):
        assert not polled
        assert documented is None
    elif documented is not None:
        assert documented.documented is not None
        assert documented.symbol == market.symbol
        assert documented.tiers
    else:
        assert polled
        assert all(poll.interval_seconds >= 600 for poll in polled), "tiers change rarely"


@EVERY
@pytest.mark.parametrize("count", [3, 300])
def test_every_topic_is_acknowledged_by_the_venues_own_form_of_ack(venue: Venue, count: int) -> None:
    request_id = 7
    for plan in venue.connections(sample_instruments(venue, count)):
        for batch in batches(venue, plan.topics):
            aliased = [replace(topic, alias=str(number)) for number, topic in enumerate(batch, 1000)]
            for ask, unsubscribes in ((venue.subscribe, False), (venue.unsubscribe, True)):
                text = ask(aliased, request_id)
                assert len(text.encode()) <= venue.limits.max_frame_bytes
                frames = FORMS[venue.name].acks(orjson.loads(text))
                confirmed: set[str] = set()
                for frame in frames:
                    named = venue.slow_frame_key(frame)
                    assert venue.frame_key(frame) in (None, named and named.encode())
                    if named is not None:
                        confirmed.add(named)  # its first data frame is the confirmation
                        continue
                    for said in venue.control(frame):
                        assert isinstance(said, Acked)
                        assert said.unsubscribed is False or unsubscribes
                        by_number = said.request_id == request_id and not said.keys
                        confirmed.update([topic.key for topic in batch] if by_number else said.keys)
                        confirmed.update(topic.key for topic in aliased if unsubscribes and topic.alias == said.alias)
                        if unsubscribes and said.only and said.request_id is None:  # it lists what is left
                            confirmed.update(topic.key for topic in batch if topic.key not in said.keys)
                assert confirmed == {topic.key for topic in batch}


@EVERY
def test_our_ping_is_answered_by_a_pong_the_venue_module_knows(venue: Venue) -> None:
    ping = venue.limits.ping
    assert ping.interval_seconds > 0
    assert ping.pong_timeout_seconds > 0
    if ping.text is not None:
        assert FORMS[venue.name].PONGS
        for frame in FORMS[venue.name].PONGS:
            assert venue.frame_key(frame) is None
            assert venue.slow_frame_key(frame) is None
            assert venue.control(frame) == [Pong()]


@EVERY
def test_what_is_not_json_is_a_frame_error_in_one_line(venue: Venue) -> None:
    for garbage in (b"", b"<html>\n<body>no</body></html>", b"\xff\xfe", b'{"a":', b"NaN", b'"\xed\xa0\x80"'):
        with pytest.raises(FrameError) as caught:
            venue.slow_frame_key(garbage)
        assert venue.name in str(caught.value)
        assert str(caught.value).isprintable()
        with pytest.raises(FrameError):
            venue.control(garbage)
    for frame in (b"{}", b"[]", b"1", b"null", b'{"what":"ever"}'):
        assert venue.slow_frame_key(frame) is None
        with pytest.raises(FrameError):
            venue.control(frame)


@EVERY
def test_cold_topics_refuse_a_frame_that_is_not_theirs(venue: Venue) -> None:
    for topic in all_topics(venue, 2):
        if topic.channel is Channel.OTHER:
            continue
        for frame in (b"{}", b"[]", b"not json", b'{"data":5}', b'{"data":[7]}', b'{"data":{}}', b'{"data":[{}]}'):
            said = f"{venue.name} {topic.channel}: no facts in it"
            try:
                assert venue.parse(topic, frame) == [], "a frame without facts must not give any"
            except FrameError as error:
                said = str(error)
            assert said.startswith(f"{venue.name} {topic.channel}")


@EVERY
def test_requests_are_gets_or_posts_of_the_venue_within_its_budget(venue: Venue) -> None:
    for request in every_request(venue):
        assert request.body is None or isinstance(orjson.loads(request.body), dict)
        assert urlsplit(request.url).scheme == "https"
        assert 0 < request.weight <= venue.limits.rest_weight
        assert request.url.isascii()
        assert " " not in request.url
    market = sample_instruments(venue, 1)[0]
    seeded = venue.book.sequence.seeded_by_rest
    assert (venue.snapshot_request(market) is not None) == seeded == (venue.book.snapshot_grammar is not None)
    assert (venue.book.snapshot_levels is not None) == seeded
    deep = venue.deep_request(market)
    assert (venue.book.deep_levels is not None) == (deep is not None)
    assert (deep is not None) == (venue.book.deep_grammar is not None) == (venue.book.deep_interval_seconds is not None)


@EVERY
def test_a_books_deep_snapshots_and_polls_fit_a_third_of_the_budget_for_thirty_markets(venue: Venue) -> None:
    market = sample_instruments(venue, 1)[0]
    a_second = sum(poll.request.weight / poll.interval_seconds for poll in venue.polls(market))
    once = sum(poll.request.weight / poll.interval_seconds for poll in venue.venue_polls([market]))
    deep = venue.deep_request(market)
    if deep is not None and venue.book.deep_interval_seconds is not None:
        a_second += deep.weight / venue.book.deep_interval_seconds
    assert 30 * a_second + once <= 0.3 * venue.limits.rest_weight / venue.limits.rest_window_seconds


def every_request(venue: Venue) -> list[RestRequest]:
    market = sample_instruments(venue, 1)[0]
    single = [venue.snapshot_request(market), venue.deep_request(market)]
    return [
        *venue.instrument_requests([market.symbol]),
        *(request for request in single if request is not None),
        *(poll.request for poll in (*venue.polls(market), *venue.venue_polls([market]))),
        *(plan.address for plan in venue.connections([market]) if plan.address is not None),
    ]


@EVERY
def test_http_refusals_say_retry_stop_or_not_json(venue: Venue) -> None:
    html = b"<!DOCTYPE html>\r\n<title>\xc2\xa9 403 \x1b[31m</title>"
    for request in every_request(venue):
        with pytest.raises(RetryLater) as later:
            venue.check_reply(request, 429, {"retry-after": "17"}, b"{}")
        assert later.value.seconds == 17
        with pytest.raises(RetryLater) as later:
            venue.check_reply(request, 429, {}, html)
        assert later.value.seconds > 0
        for status in (500, 502, 503, 504):
            with pytest.raises(RetryLater):
                venue.check_reply(request, status, {}, html)
        for status in (403, 418):
            with pytest.raises(VenueStopped, match=str(status)) as stopped:
                venue.check_reply(request, status, {"retry-after": "7200"}, html)
            assert stopped.value.seconds == 7200
            with pytest.raises(VenueStopped) as stopped:
                venue.check_reply(request, status, {}, html)
            assert stopped.value.seconds is not None
            assert stopped.value.seconds >= 600
        with pytest.raises(VenueStopped, match=venue.name) as stopped:
            venue.check_reply(request, 451, {}, b"")
        assert stopped.value.seconds is None
        for status in (200, 404):
            with pytest.raises(FrameError, match="not JSON") as refused:
                venue.check_reply(request, status, {}, html)
            assert "<!DOCTYPE html>" in str(refused.value)
            assert str(refused.value).isprintable()
        with pytest.raises(VenueError):
            venue.check_reply(request, 404, {}, b'{"what":"ever"}')


@EVERY
def test_a_refusal_names_its_keys_as_topics(venue: Venue) -> None:
    """Whatever a refusal names is a topic the venue's module knows by that key."""
    (said,) = venue.control(FORMS[venue.name].REFUSAL)
    assert isinstance(said, Refused)
    assert said.request_id == 4 or said.keys
    for key in said.keys:
        assert venue.topic(key) is not None


def test_an_origin_replaces_scheme_host_and_port_only() -> None:
    url = "wss://fstream.binance.com/public/stream?streams=x"
    assert replace_origin(url, "ws://127.0.0.1:9001") == "ws://127.0.0.1:9001/public/stream?streams=x"
    assert replace_origin(url, None) == url


def test_samples_are_markets_with_a_grid() -> None:
    for venue in VENUES.values():
        markets = sample_instruments(venue, 300)
        assert len(markets) == 300
        assert replace(markets[0], tick_size=Decimal("0.5")).scale.price.multiple == 5
