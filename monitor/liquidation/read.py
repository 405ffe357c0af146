"""From a market as it stands to its reading. Called at the end of a second, before any further frame."""

from __future__ import annotations

from monitor.liquidation.reading import MarketReading
from monitor.market import Market
from monitor.views import MarketView


def read_market(market: Market, view: MarketView, fx: float | None, at: int) -> MarketReading:
    """What the market brings to the liquidation model; `view` is of the same moment."""
    figures, tally = market.figures, market.tally
    if view.verified and market.book is not None:
        market.curves.read(market.book, at)
    return MarketReading(
        venue=view.venue,
        market=view.market,
        contract_type=market.instrument.contract_type,
        reason=view.reason if not view.verified else "" if fx is not None else f"no rate for {view.quote}",
        fx=fx,
        mid=view.mid_price,
        mark=figures.mark,
        open_interest=figures.open_interest(),
        funding_8h=view.funding_rate_8h_ratio,
        long_short_ratio=figures.long_short_ratio,
        bought=tally.size["buy"],
        sold=tally.size["sell"],
        paid=tally.paid,
        bought_usd=tally.volume_usd["buy"],
        sold_usd=tally.volume_usd["sell"],
        forced=market.prints.forced,
        coverage=view.liquidation_coverage,  # type: ignore[arg-type]
        heard=view.liquidations_heard and not view.silent.get("liquidations", False),
        trades_heard=bool(market.trades) and fx is not None and not view.silent.get("trades", False),
        tiers=view.margin_tiers,
        candles=market.candles_at(at),
        instrument=market.instrument,
        curves=market.curves,
    )
