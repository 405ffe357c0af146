"""The traps of OKX's page over real sockets: an ack for each argument, a sequence that legally starts over, an announced end, status."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from sim_rig import Rig

from monitor.simulator.protocols.okx_swap_frames import OkxFrames
from monitor.tiers import from_venue


def test_one_refused_argument_leaves_the_others_of_its_frame_alone() -> None:
    with Rig("okx_spot", assets=("BTC", "ETH")) as rig:
        rig.order("refuse_subscription", channel="book", market="ETH-USDT", count=1)
        with pytest.raises(AssertionError):
            rig.start(seconds=3)
        assert rig.readable("BTC-USDT")
        assert any("books:ETH-USDT" in said and "60018" in said for said in rig.venue_view().faults)
        asked = [text for text in rig.sent if '"books","instId":"BTC-USDT"' in text]
        assert len(asked) == 1, "what was acknowledged is not asked again"
        rig.step(1000)
        assert rig.true_at("BTC-USDT", 1.0)


def test_a_sequence_that_starts_over_with_the_right_link_is_no_gap() -> None:
    with Rig("okx_spot", assets=("BTC",)) as rig:
        rig.start()
        rig.step(1000)
        seen: list[tuple[int, int, bool]] = []

        def look(connection: int, data: bytes) -> None:
            if b'"action":"update"' in data:
                (row,) = orjson.loads(data)["data"]
                assert row["checksum"] == 0, "deprecated, and fixed to zero"
                seen.append((row["prevSeqId"], row["seqId"], rig.readable("BTC-USDT")))

        rig.after_frame = look
        rig.order("restart", market="BTC-USDT")
        rig.step(2000)
        assert any(last < before for before, last, _ in seen), "the ids went backwards"
        assert all(readable for *_, readable in seen)
        assert rig.view("BTC-USDT").resyncs == {}
        assert rig.true_at("BTC-USDT", 1.0)


def test_the_venue_says_before_it_goes_and_the_book_never_stops() -> None:
    with Rig("okx_spot", assets=("BTC",)) as rig:
        rig.start()
        before = rig.connects
        rig.order("shutdown_notice")
        rig.until(lambda: rig.connects > before, 60)
        for _ in range(50):
            rig.step(100)
            assert rig.readable("BTC-USDT")
        assert rig.view("BTC-USDT").resyncs.get("disconnected", 0) == 0


def test_status_is_said_on_the_socket_and_the_end_takes_it_back() -> None:
    with Rig("okx_spot", assets=("BTC",)) as rig:
        rig.start()
        rig.step(1000)
        writer = rig.sim.scenario_source.writers["okx_spot"]
        assert isinstance(writer, OkxFrames)
        row = {
            "title": "Spot WebSocket upgrade", "state": "ongoing", "begin": str(writer.stamp), "end": "", "serviceType": "0",
            "maintType": "1", "env": "1",
        }  # fmt: skip
        writer.notices.append(row)
        rig.until(lambda: any("Spot WebSocket upgrade (ongoing)" in said for said in rig.venue_view().faults), 5)
        writer.notices.append(row | {"state": "completed", "end": str(writer.stamp)})
        rig.until(lambda: not rig.venue_view().faults, 5)


@pytest.mark.parametrize(("venue", "symbol"), [("okx_spot", "BTC-USDT"), ("okx_swap", "BTC-USDT-SWAP")])
def test_a_halted_market_is_not_verified_whatever_else_is_listed(venue: str, symbol: str) -> None:
    with Rig(venue, assets=("BTC",)) as rig:
        rig.start()
        rig.step(1000)  # the channel says changes alone
        writer = rig.sim.scenario_source.writers[venue]
        assert isinstance(writer, OkxFrames)
        writer.listings += [{"instId": "", "state": ""}, {"instId": symbol, "state": "suspend"}]
        rig.until(lambda: not rig.view(symbol).verified, 5)
        assert rig.venue_view().channels["status"]["parse_errors"] == 1
        writer.listings.append({"instId": symbol, "state": "live"})
        rig.until(lambda: rig.view(symbol).verified, 5)


def test_tiers_of_swaps_are_in_contracts() -> None:
    with Rig("okx_swap", assets=("BTC",)) as rig:
        rig.start()
        rig.until(lambda: from_venue(rig.view("BTC-USDT-SWAP").margin_tiers))
        tiers = rig.view("BTC-USDT-SWAP").margin_tiers
        assert tiers is not None
        assert (tiers.unit, tiers.whole, tiers.documented) == ("contracts", True, None)
        assert [(tier.cap, tier.maintenance_ratio) for tier in tiers.tiers] == [
            (Decimal(5000), Decimal("0.004")),
            (Decimal(20000), Decimal("0.005")),
            (Decimal(60000), Decimal("0.01")),
        ]
