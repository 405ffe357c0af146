"""Topics, payloads and ids: what leaves is what the contract says, and nothing else can leave."""

from __future__ import annotations

from datetime import UTC, datetime

import jsonschema
import orjson
import pytest
from alert_views import asset, at, depth, market, service, venue
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.compose import MAX_DEGRADED, bounded, feed_payload, regime_payload, standing
from monitor.alerts.payloads import Availability, LiquidationPayload, encode, rfc3339, schemas
from monitor.alerts.topics import ALERT, KINDS, MAX_PART, TOPICS, Message, TopicError, Topics, safe_part
from monitor.alerts.ulid import ALPHABET, ulid
from monitor.views import ConnectionView, Quality

TOPICS_OF = Topics("undertow/v1", "undertow-1")


def check(name: str, body: bytes) -> dict:
    value = orjson.loads(body)
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
    return value


def test_the_table_is_the_contract() -> None:
    rows = {row.template: (row.retained, row.qos, row.expiry_seconds) for row in TOPICS}
    assert rows == {
        "instances/{instance}/availability": (True, 1, None),
        "alerts/{asset}/{kind}/{subject}": (False, 1, None),
        "open/{asset}/{kind}/{subject}": (True, 1, 180),
        "regimes/{asset}": (True, 1, 180),
        "liquidations/{asset}": (False, 0, None),
        "feeds/{venue}": (True, 1, 180),
    }
    assert {row.schema for row in TOPICS} <= set(schemas())


def test_addresses() -> None:
    assert TOPICS_OF.availability().topic == "undertow/v1/instances/undertow-1/availability"
    assert TOPICS_OF.alert("BTC", "liquidation_burst", "long").topic == "undertow/v1/alerts/BTC/liquidation_burst/long"
    assert TOPICS_OF.open("MARKET", "feed_fault", "a:b").topic == "undertow/v1/open/MARKET/feed_fault/a:b"
    assert TOPICS_OF.feed("okx_swap").topic == "undertow/v1/feeds/okx_swap"


@given(st.text(max_size=200))
def test_no_part_escapes_its_level(text: str) -> None:
    try:
        topic = TOPICS_OF.alert("BTC", "feed_fault", text).topic
    except TopicError:
        topic = TOPICS_OF.alert("BTC", "feed_fault", "-" + safe_part(text)[: MAX_PART - 1]).topic
    assert topic.count("/") == 5
    assert not set("+#\x00") & set(topic)


@pytest.mark.parametrize("part", ["", "a/b", "a+b", "#", "a\x00", "x" * 129, "$SYS"])
def test_bad_parts_are_refused(part: str) -> None:
    with pytest.raises(TopicError):
        TOPICS_OF.alert("BTC", "feed_fault", part)
    with pytest.raises(TopicError):
        Topics("undertow/v1", part)


def test_unknown_kind_lower_case_asset_and_wrong_payload_are_refused() -> None:
    for asset_name, kind in (("btc", "feed_fault"), ("BTC", "weather")):
        with pytest.raises(TopicError):
            TOPICS_OF.alert(asset_name, kind, "all")
    with pytest.raises(TopicError):
        Message.of(TOPICS_OF.alert("BTC", KINDS[0], "all"), Availability("online"))
    with pytest.raises(TopicError):
        Message.cleared(TOPICS_OF.alert("BTC", KINDS[0], "all"))
    assert not ALERT.retained


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_times(nanoseconds: int) -> None:
    text = rfc3339(nanoseconds)
    assert text.endswith("Z")
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo == UTC
    assert round((parsed - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) in range(
        nanoseconds // 10**9 - 1, nanoseconds // 10**9 + 2
    )
    assert text[20:26] == f"{nanoseconds // 1000 % 1_000_000:06d}"


@given(st.integers(0, 10**19), st.integers(0, 10**19), st.text(max_size=5), st.text(max_size=5))
def test_ulids_sort_by_time_and_depend_on_all_content(first: int, second: int, one: str, two: str) -> None:
    made = ulid(first, one, two)
    assert len(made) == 26
    assert set(made) <= set(ALPHABET)
    assert made == ulid(first, one, two)
    if first // 10**6 < second // 10**6:
        assert made < ulid(second, one, two)
    if "\x00" not in one + two and one != two:
        assert made != ulid(first, two, one)


def test_ulid_time_is_the_one_of_the_specification() -> None:
    # The specification's own example: 1469918176385 ms is 01ARYZ6S41.
    assert ulid(1_469_918_176_385 * 10**6)[:10] == "01ARYZ6S41"


def test_regime_and_feed_payloads_keep_their_schema() -> None:
    view = asset(
        figures=(depth(8e6, 0.5, None, 0.9), depth(float("nan"), None, None, None, side="ask")), score=float("inf")
    )
    payload = regime_payload(view, "undertow-1")
    assert payload is not None
    body = check("undertow.regime.v1", encode(payload))
    assert body["depth"] == {
        "bid": {"1%": {"usd": 8e6, "coverage_ratio": 0.9, "acute_ratio": 0.5, "chronic_ratio": None}},
        "ask": {},
    }
    assert body["score"] is None
    assert regime_payload(asset(regime=None), "undertow-1") is None
    states = {}
    for name, changes, markets in (
        ("running", {}, (market(),)),
        ("degraded", {}, (market(), market(symbol="ETHUSDT", verified=False, reason="gap"))),
        ("degraded", {"refused": (("XUSDT", "not listed"),)}, (market(),)),
        ("degraded", {}, (market(silent={"book": True}),)),
        ("down", {"connections": (ConnectionView("binance_usdm", 0, False, "/ws", 1),)}, (market(verified=False),)),
        ("halted", {"halted": "451"}, (market(verified=False),)),
    ):
        feed = feed_payload(venue(**changes), markets, "undertow-1", at(0))
        body = check("undertow.feed.v1", encode(feed))
        assert body["state"] == name
        states[name] = body
    assert states["halted"]["books"] == {"verified": 0, "configured": 1}


def test_liquidation_payload_and_availability() -> None:
    payload = LiquidationPayload(
        "undertow.liquidation.v1", "okx_swap", "BTC-USDT-SWAP", "BTC", "long", 0.5, 60000.0, "bankruptcy", None,
        "sampled", rfc3339(at(0)), rfc3339(at(1)),
    )  # fmt: skip
    assert check("undertow.liquidation.v1", encode(payload))["notional_usd"] is None
    assert encode(Availability("offline")) == b"offline"


def test_degraded_lines_are_bounded_and_counted() -> None:
    lines = bounded([f"line {n}" for n in range(100)] * 2)
    assert len(lines) == MAX_DEGRADED
    assert lines[-1] == "and 69 more"


def test_schema_refuses_what_is_not_ours() -> None:
    payload = regime_payload(asset(quality=Quality(2.0, -1.0, 1, 1, ())), "undertow-1")
    assert payload is not None
    body = check("undertow.regime.v1", encode(payload))  # shares are held within 0..1
    for broken in ({**body, "extra": 1}, {k: v for k, v in body.items() if k != "quality"}, {**body, "at": "today"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schemas()["undertow.regime.v1"])
    assert service().assets


def test_a_replaced_socket_counts_once() -> None:
    lost = ConnectionView("binance_usdm", 0, False, "/ws", 3, "market-0")
    back = ConnectionView("binance_usdm", 1, True, "/ws", 3, "market-0")
    other = ConnectionView("binance_usdm", 2, False, "/ws", 3, "market-1")
    assert standing((lost, back)) == (1, 1)
    assert standing((lost, back, other)) == (1, 2)
    assert feed_payload(venue(connections=(lost, back)), (market(),), "undertow-1", at(0)).state == "running"
