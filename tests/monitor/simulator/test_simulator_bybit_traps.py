"""The traps of Bybit's page over real sockets: batches that fall whole, ten topics at most, u = 1, tiers in percent, maintenance."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from sim_rig import Rig

from monitor.events import Fetch
from monitor.simulator.protocols.base import FAIR, Session
from monitor.simulator.protocols.bybit_linear_frames import BybitFrames
from monitor.simulator.protocols.bybit_spot import BybitSpotFront
from monitor.tiers import from_venue


def asked_of(rig: Rig, key: str) -> list[list[str]]:
    """The topics of each subscribe frame in which `key` was asked for."""
    frames = [orjson.loads(text) for text in rig.sent]
    return [frame["args"] for frame in frames if frame["op"] == "subscribe" and key in frame["args"]]


def test_an_eleventh_topic_is_refused_with_all_the_others() -> None:
    front = BybitSpotFront(lambda key: True, lambda key: FAIR)
    session = front.open("/v5/public/spot", {}, 1, 0)
    assert isinstance(session, Session)
    topics = [f"publicTrade.A{number}USDT" for number in range(11)]
    answer = front.receive(session, orjson.dumps({"req_id": "1", "op": "subscribe", "args": topics}).decode(), 0)
    said = orjson.loads(answer.texts[0])
    assert (said["success"], said["ret_msg"], answer.subscribed) == (False, "args size >10", [])
    answer = front.receive(session, orjson.dumps({"req_id": "2", "op": "subscribe", "args": topics[:10]}).decode(), 0)
    assert orjson.loads(answer.texts[0])["ret_msg"] == "subscribe"
    assert len(answer.subscribed) == 10
    assert front.open("/v5/public/linear", {}, 2, 0) is None, "a socket serves its own category only"


@pytest.mark.parametrize(
    ("venue", "refused", "other"),
    [
        ("bybit_spot", "orderbook.full.ETHUSDT", "BTCUSDT"),
        ("bybit_inverse", "orderbook.1000.ETHUSD", "BTCUSD"),
    ],
)
def test_one_refused_topic_takes_its_batch_down_and_the_others_are_asked_again(
    venue: str, refused: str, other: str
) -> None:
    with Rig(venue, assets=("BTC", "ETH")) as rig:
        market = refused.rpartition(".")[2]
        rig.order("refuse_subscription", channel="book", market=market, count=1)
        with pytest.raises(AssertionError):
            rig.start(seconds=3)
        assert rig.readable(other)
        assert not rig.readable(market)
        assert any(refused in said for said in rig.venue_view().faults)
        first, *_ = asked_of(rig, refused)
        assert len(first) > 1, "it went with others"
        rig.step(1000)
        assert rig.true_at(other, 1.0)


def test_u_of_one_makes_the_full_book_unreadable_until_a_new_snapshot_of_this_market_alone() -> None:
    with Rig("bybit_spot", assets=("BTC", "ETH")) as rig:
        rig.start()
        readable: list[bool] = []
        rig.after_frame = lambda connection, data: (
            readable.append(rig.readable("BTCUSDT"))
            if b'"u":1,' in data and b"orderbook.full.BTCUSDT" in data
            else None
        )
        before = len(rig.log)
        rig.order("restart", market="BTCUSDT")
        rig.until(lambda: readable)
        assert readable == [False]
        rig.until(rig.all_verified)
        seeds = [each.request for each in rig.log[before:] if isinstance(each, Fetch)]
        assert {request.symbol for request in seeds if request.purpose == "snapshot"} == {"BTCUSDT"}
        rig.step(1000)
        assert rig.true_at("BTCUSDT", 1.0)
        assert rig.view("ETHUSDT").resyncs == {}


def test_tiers_in_coins_and_percent_come_as_fractions() -> None:
    with Rig("bybit_inverse", assets=("BTC",)) as rig:
        rig.start()
        rig.until(lambda: from_venue(rig.view("BTCUSD").margin_tiers))
        tiers = rig.view("BTCUSD").margin_tiers
        assert tiers is not None
        assert (tiers.unit, tiers.whole, tiers.documented) == ("base", True, None)
        assert [tier.maintenance_ratio for tier in tiers.tiers] == [Decimal("0.005"), Decimal("0.01")]


def test_maintenance_is_known_from_the_start_and_goes_with_its_end() -> None:
    with Rig("bybit_spot", assets=("BTC",)) as rig:
        writer = rig.sim.scenario_source.writers["bybit_spot"]
        assert isinstance(writer, BybitFrames)
        row: dict[str, object] = {
            "id": "4d95", "title": "Matching engine upgrade", "state": "ongoing", "begin": str(writer.stamp), "end": "",
            "href": "", "serviceTypes": [1, 5], "product": [2], "uidSuffix": [], "maintainType": 3, "env": 1,
        }  # fmt: skip
        writer.notices.extend([row, row | {"id": "5e06", "title": "Futures upgrade", "product": [1]}])
        rig.start()
        rig.until(lambda: any("Matching engine upgrade (ongoing)" in said for said in rig.venue_view().faults), 3)
        assert not any("Futures" in said for said in rig.venue_view().faults)
        writer.notices[:] = [row | {"state": "completed", "end": str(writer.stamp)}]
        rig.until(lambda: not rig.venue_view().faults, 70)
