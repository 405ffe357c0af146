"""The simulated venues: one line each.

A simulated venue is written from the venue's page and not from our venue module, or the two would share their mistakes. It has

1. a `Front` (`base.py`), module `<venue>.py`: addresses, acknowledgements and refusals in the venue's words, limits, pings, closing,
   REST errors; what a socket gets round each frame (`envelope`), connection numbers (`numbers`, `number`), `encoding`, first words
   (`welcome`), words of its own (`tick`), topics that are acknowledged and stay silent (`served`), `shutdown_notice`,
   `snapshot_paths`, `symbol_of`, and where REST seeds books `seed_request`.
   Ask `self.knows(key)` whether a topic exists and `self.treat(key)` how a standing fault wants its subscription treated (once for
   each subscription: asking spends the fault).
2. a `VenueFrames` (`frames.py`), module `<venue>_frames.py`: frames and REST bodies from simulated markets. What books publish is in
   `monitor.simulator.streams`: DiffStream (changes at any price), WindowStream (best N, with or without word of levels that leave),
   SnapshotStream (top N whole), BucketStream (n significant figures), `singles` (one level a frame). Identifiers advance whether or
   not somebody listens. `opening(key)` is what a new subscriber gets after the acknowledgement.
   Faults reach the writer as `cross(symbol)` and `restart(symbol)`; all others are the server's.
   `market.funding_rate` is of 8 hours: write it times the market's own hours / 8. Where `lists_others` is False the listing holds the
   venue's own markets alone. What `envelope` or `number` put round a frame `recorded` takes off again, or a recording cannot be served.
3. MARKETS in the same module, by `monitor.simulator.specs.market_spec(...)`: BTC and ETH, a few more (SOL, XRP, DOGE ...), each kind the venue
   has (inverse, with a multiplier); a fiat venue also USDT/USD and its like. Spot markets have `market.spec.leveraged` False: no mark,
   funding, open interest, liquidations.
4. A line in PROTOCOLS. From then on every fault and `tests/monitor/simulator/test_simulator_conformance.py` run on it. Its own traps are
   tested with `tests/monitor/simulator/sim_rig.py`.

Topic keys are the simulator's own; only where recordings are to be served they have to be those of the venue module.

USD of a fill: `market.spec.worth(price) * lots`; coins: `market.spec.base(price) * lots`. Open interest: `market.ledger.open_interest` lots of one side.
Recordings (optional, with defaults): see `VenueFrames.recorded`, `.standing`, `.standing_reply`, `.same_book`. Load: `load.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.errors import SettingsError
from monitor.simulator.protocols import (
    binance_coinm,
    binance_coinm_frames,
    binance_spot,
    binance_spot_frames,
    binance_usdm,
    binance_usdm_frames,
    binance_usdm_load,
    bitfinex,
    bitfinex_frames,
    bitget_usdt,
    bitget_usdt_frames,
    bybit_inverse,
    bybit_inverse_frames,
    bybit_linear,
    bybit_linear_frames,
    bybit_linear_load,
    bybit_spot,
    bybit_spot_frames,
    coinbase,
    coinbase_frames,
    deribit,
    deribit_frames,
    dydx,
    dydx_frames,
    gate_usdt,
    gate_usdt_frames,
    htx_linear,
    htx_linear_frames,
    hyperliquid,
    hyperliquid_frames,
    kraken_futures,
    kraken_futures_frames,
    kraken_spot,
    kraken_spot_frames,
    kucoin_futures,
    kucoin_futures_frames,
    okx_spot,
    okx_spot_frames,
    okx_swap,
    okx_swap_frames,
    okx_swap_load,
)
from monitor.simulator.protocols.base import Front
from monitor.simulator.protocols.frames import VenueFrames
from monitor.simulator.protocols.load import LoadForm
from monitor.simulator.specs import ASSETS, MarketSpec


@dataclass(frozen=True, slots=True)
class SimulatedVenue:
    """usual: among the venues that `undertow demo` and `undertow simulate` start when none is named.
    load: how the load generator writes its frames; None: it is not offered for load.
    """

    front: type[Front]
    frames: type[VenueFrames]
    markets: tuple[MarketSpec, ...]
    usual: bool = False
    load: LoadForm | None = None


# fmt: off
PROTOCOLS: dict[str, SimulatedVenue] = {
    "binance_usdm": SimulatedVenue(binance_usdm.BinanceUsdmFront, binance_usdm_frames.BinanceUsdmFrames, binance_usdm_frames.MARKETS, usual=True, load=binance_usdm_load.BinanceLoad()),
    "binance_spot": SimulatedVenue(binance_spot.BinanceSpotFront, binance_spot_frames.BinanceSpotFrames, binance_spot_frames.MARKETS),
    "binance_coinm": SimulatedVenue(binance_coinm.BinanceCoinmFront, binance_coinm_frames.BinanceCoinmFrames, binance_coinm_frames.MARKETS),
    "bitget_usdt": SimulatedVenue(bitget_usdt.BitgetFront, bitget_usdt_frames.BitgetFrames, bitget_usdt_frames.MARKETS),
    "gate_usdt": SimulatedVenue(gate_usdt.GateFront, gate_usdt_frames.GateFrames, gate_usdt_frames.MARKETS),
    "bybit_linear": SimulatedVenue(bybit_linear.BybitFront, bybit_linear_frames.BybitFrames, bybit_linear_frames.MARKETS, usual=True, load=bybit_linear_load.BybitLoad()),
    "bybit_inverse": SimulatedVenue(bybit_inverse.BybitInverseFront, bybit_inverse_frames.BybitInverseFrames, bybit_inverse_frames.MARKETS),
    "bybit_spot": SimulatedVenue(bybit_spot.BybitSpotFront, bybit_spot_frames.BybitSpotFrames, bybit_spot_frames.MARKETS),
    "okx_swap": SimulatedVenue(okx_swap.OkxFront, okx_swap_frames.OkxFrames, okx_swap_frames.MARKETS, usual=True, load=okx_swap_load.OkxLoad()),
    "okx_spot": SimulatedVenue(okx_spot.OkxSpotFront, okx_spot_frames.OkxSpotFrames, okx_spot_frames.MARKETS),
    "kraken_spot": SimulatedVenue(kraken_spot.KrakenSpotFront, kraken_spot_frames.KrakenSpotFrames, kraken_spot_frames.MARKETS),
    "kraken_futures": SimulatedVenue(kraken_futures.KrakenFuturesFront, kraken_futures_frames.KrakenFuturesFrames, kraken_futures_frames.MARKETS),
    "bitfinex": SimulatedVenue(bitfinex.BitfinexFront, bitfinex_frames.BitfinexFrames, bitfinex_frames.MARKETS),
    "hyperliquid": SimulatedVenue(hyperliquid.HyperliquidFront, hyperliquid_frames.HyperliquidFrames, hyperliquid_frames.MARKETS),
    "deribit": SimulatedVenue(deribit.DeribitFront, deribit_frames.DeribitFrames, deribit_frames.MARKETS),
    "coinbase": SimulatedVenue(coinbase.CoinbaseFront, coinbase_frames.CoinbaseFrames, coinbase_frames.MARKETS),
    "htx_linear": SimulatedVenue(htx_linear.HtxFront, htx_linear_frames.HtxFrames, htx_linear_frames.MARKETS),
    "dydx": SimulatedVenue(dydx.DydxFront, dydx_frames.DydxFrames, dydx_frames.MARKETS),
    "kucoin_futures": SimulatedVenue(kucoin_futures.KucoinFuturesFront, kucoin_futures_frames.KucoinFuturesFrames, kucoin_futures_frames.MARKETS),
}
# fmt: on

ALL = tuple(PROTOCOLS)
USUAL = tuple(name for name, each in PROTOCOLS.items() if each.usual)


def markets_of(assets: Sequence[str], venues: Sequence[str]) -> tuple[MarketSpec, ...]:
    """The markets of these assets on these venues.

    Raises:
        SettingsError: an asset or venue that is not simulated.
    """
    for asset in assets:
        if asset not in ASSETS:
            raise SettingsError(f"no simulated asset {asset!r}; there are {', '.join(ASSETS)}")
    for venue in venues:
        if venue not in PROTOCOLS:
            raise SettingsError(f"no simulated venue {venue!r}; there are {', '.join(PROTOCOLS)}")
    return tuple(spec for venue in venues for spec in PROTOCOLS[venue].markets if spec.asset in assets)
