"""The traps of Kraken's page over real sockets: acknowledged and silent, refusals without a channel, digits that do not fit, flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from sim_rig import Rig

from monitor.simulator.protocols.kraken_futures_frames import KrakenFuturesFrames
from monitor.simulator.protocols.kraken_spot import KrakenSpotFront
from monitor.simulator.protocols.kraken_spot_frames import KrakenSpotFrames
from monitor.simulator.source import RestReply
from monitor.tiers import from_venue


def faults(rig: Rig) -> str:
    return " | ".join(rig.venue_view().faults)


@pytest.mark.parametrize(
    ("venue", "key", "channel", "market"),
    [
        ("kraken_spot", "book:BTC/USD", "book", "BTC/USD"),
        ("kraken_spot", "trade:BTC/USD", "trades", "BTC/USD"),
        ("kraken_futures", "trade:PF_XBTUSD", "trades", "PF_XBTUSD"),
    ],
)
def test_what_is_acknowledged_and_never_comes_is_named_soon_and_asked_for_again(
    venue: str, key: str, channel: str, market: str
) -> None:
    """Heartbeats and other topics go on: only the missing snapshot shows it, long before the longest silence of a quiet market."""
    with Rig(venue, assets=("BTC",)) as rig:
        fault = rig.order("silence", channel=channel, market=market)
        if channel == "book":
            with pytest.raises(AssertionError):
                rig.start(seconds=3)
        else:
            rig.start()
        rig.until(lambda: f"{key} silent" in faults(rig), 30)
        rig.sim.faults.clear(fault.number)
        rig.until(lambda: key not in faults(rig) and rig.all_verified(), 120)
        assert rig.true_at(market, 1.0)
        assert len([text for text in rig.sent if "subscribe" in text and market in text]) >= 2


def test_a_refused_pair_is_parked_by_name_and_its_neighbours_are_carried() -> None:
    with Rig("kraken_spot", assets=("BTC", "ETH")) as rig:
        rig.order("refuse_subscription", channel="book", market="ETH/USD", count=100)
        with pytest.raises(AssertionError):
            rig.start(seconds=10)
        assert "book:ETH/USD refused: Currency pair not supported ETH/USD" in faults(rig)
        assert "trade:ETH/USD" not in faults(rig)
        assert rig.readable("BTC/USD")
        assert not rig.readable("ETH/USD")


def test_a_checksum_that_does_not_fit_is_answered_by_a_new_subscription() -> None:
    with Rig("kraken_spot", assets=("BTC",)) as rig:
        rig.start()
        rig.order("gap", channel="book", market="BTC/USD")
        rig.until(lambda: sum(rig.view("BTC/USD").resyncs.values()) == 1, 30)
        assert set(rig.view("BTC/USD").resyncs) <= {"checksum", "crossed"}
        rig.until(rig.all_verified, 30)
        book = rig.market("BTC/USD").book
        assert book is not None
        assert book.counters["checksums"] > 5
        left = [text for text in rig.sent if '"unsubscribe"' in text]
        assert left == [
            '{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":1000},"req_id":2}'
        ]
        assert rig.true_at("BTC/USD", 1.0)
        assert rig.ends() == []


def test_a_socket_without_a_heartbeat_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig("kraken_spot", assets=("BTC",)) as rig:
        rig.start()
        monkeypatch.setattr(KrakenSpotFront, "tick", lambda *_: None)
        rig.order("silence")
        rig.until(lambda: "silent" in rig.ends(), 40)
        rig.sim.faults.clear()
        monkeypatch.undo()
        rig.until(rig.all_verified, 60)


def test_the_status_is_a_fact_without_being_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    welcome, rest = KrakenSpotFront.welcome, KrakenSpotFrames.rest

    def halted(self: KrakenSpotFrames, path: str, query: Mapping[str, str]) -> RestReply | None:
        reply = rest(self, path, query)
        if reply is None or not path.endswith("SystemStatus"):
            return reply
        return replace(reply, body=reply.body.replace(b"online", b"post_only"))

    monkeypatch.setattr(
        KrakenSpotFront,
        "welcome",
        lambda self, session: [t.replace("online", "post_only") for t in welcome(self, session)],
    )
    monkeypatch.setattr(KrakenSpotFrames, "rest", halted)
    with Rig("kraken_spot", assets=("BTC",)) as rig:
        with pytest.raises(AssertionError):
            rig.start(seconds=3)
        assert "Kraken spot is post_only" in faults(rig)
        assert rig.view("BTC/USD").reason == "halted: Kraken spot is post_only"
        monkeypatch.undo()
        rig.order("disconnect")
        rig.until(lambda: "post_only" not in faults(rig) and rig.view("BTC/USD").verified, 60)
        assert all("status" not in text for text in rig.sent)


def test_a_fiat_venue_gives_the_rates_of_currencies() -> None:
    with Rig("kraken_spot", assets=("BTC", "USDT", "USDC", "EUR")) as rig:
        rig.start(seconds=30)
        writer = rig.sim.scenario_source.writers["kraken_spot"]
        assert isinstance(writer, KrakenSpotFrames)
        for symbol, near in (("USDT/USD", 0.9995), ("USDC/USD", 1.0), ("EUR/USD", 1.16)):
            view = rig.view(symbol)
            assert (view.verified, view.quote, view.contract_type) == (True, "USD", "spot")
            assert view.mid_price == pytest.approx(near, rel=0.01)
            pair = rig.market(symbol).pair(*[*rig.hub.states["kraken_spot"].links.values()][:1], "", view.at)
            assert pair is not None
            assert (pair.currency, pair.venue) == (view.asset, "kraken_spot")
            assert pair.mid == pytest.approx(near, rel=0.01)
            assert pair.spread < 0.001


def test_a_product_under_stress_is_named_and_a_stranger_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    original = KrakenFuturesFrames.rest
    wild = {"experiencingDislocation": True, "priceDislocationDirection": "ABOVE_UPPER_BOUND"}
    calm = {"experiencingExtremeVolatility": False, "extremeVolatilityInitialMarginMultiplier": 1}

    def rest(self: KrakenFuturesFrames, path: str, query: dict[str, str]) -> object:
        if path.endswith("/status"):
            rows = [{"tradeable": name, **wild, **calm} for name in ("PF_XBTUSD", "PF_STRANGEUSD")]
            return self._reply(instrumentStatus=rows)
        return original(self, path, query)

    with Rig("kraken_futures", assets=("BTC",)) as rig:
        monkeypatch.setattr(KrakenFuturesFrames, "rest", rest)
        rig.start()
        rig.until(lambda: "PF_XBTUSD price is dislocated: above upper bound" in faults(rig), 30)
        assert "STRANGE" not in faults(rig)
        monkeypatch.undo()
        rig.until(lambda: "dislocated" not in faults(rig), 120)


def test_an_unknown_product_of_futures_is_parked_by_name() -> None:
    with Rig("kraken_futures", assets=("BTC",)) as rig:
        rig.order("refuse_subscription", channel="ticker", market="PI_XBTUSD", count=100)
        rig.start()
        rig.until(lambda: "ticker:PI_XBTUSD refused" in faults(rig), 10)
        assert "book:PI_XBTUSD" not in faults(rig)
        assert "Couldn't subscribe to invalid product" in faults(rig)


def test_margin_levels_of_the_listing_reach_the_market() -> None:
    with Rig("kraken_futures", assets=("BTC",)) as rig:
        rig.start()
        rig.until(lambda: all(from_venue(rig.view(symbol).margin_tiers) for symbol in rig.symbols), 10)
        tiers = rig.view("PI_XBTUSD").margin_tiers
        assert tiers is not None
        assert (tiers.unit, tiers.documented, tiers.tiers[0].cap) == ("contracts", None, 500_000)
        assert all(rig.view(symbol).liquidations_heard for symbol in rig.symbols), "they come with the trades"
