"""What Bybit's linear and inverse contracts share: sockets, tickers, liquidations, margin tiers. Facts as of 2026-11-22.

Liquidations: `S` is the side of the POSITION (Buy = a long was closed), the price is the bankruptcy price, and all of them are
published. Open interest is read from `single*` (one side, as other venues count it); `openInterest` is both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Final, Literal

from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import bybit
from monitor.venues.base import BookPolicy, ConnectionPlan, LiquidationRule, Poll, RestRequest, Topic
from monitor.venues.packing import pack, read_rows, symbols_in_order
from monitor.venues.reading import Reader, Record, given

BOOKS_PER_CONNECTION: Final = 50  # a first snapshot is 50 KB: this many still arrive within a second
COLD_STREAMS: Final = ("publicTrade", "tickers", "allLiquidation")
LIQUIDATED: Final[dict[str, facts.Position]] = {"Buy": "long", "Sell": "short"}
# Tickers (100 ms) are pushed on change, as books (200 ms) are; the quietest markets change within seconds.
SILENCE: Final = 30.0
TIERS_SECONDS: Final = 6 * 3600.0  # risk limits change with days of notice
LONG_SHORT: Final = "long_short_ratio"
LONG_SHORT_SECONDS: Final = 300.0  # it is counted every five minutes
ACCOUNTS_COUNTED: Final = ("USDT", "USD")  # perpetuals in USDT and in coins; neither in USDC nor dated contracts
# initialMargin times maxLeverage is 1 where ratios are fractions and 100 where they are percent: both were seen.
PERCENT_ABOVE: Final = 10


class BybitContracts(bybit.BybitVenue):
    """A category of contracts; the widest stream keeps 1000 levels."""

    products: ClassVar[int] = 1
    silence: ClassVar[float] = SILENCE
    book: ClassVar[BookPolicy] = bybit.WINDOWED
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    liquidation: ClassVar[LiquidationRule] = LiquidationRule(
        "Bybit, as of 2026-05-27: equity meets the requirement at the mark price", older_at_entry=True
    )
    verification: ClassVar[str] = (
        "u of each delta is one above the last; snapshot on the stream, also after a restart (u = 1)"
    )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        books = [f"orderbook.{bybit.LEVELS}.{symbol}" for symbol in symbols]
        cold = [f"{stream}.{symbol}" for symbol in symbols for stream in COLD_STREAMS]
        most, characters = self.limits.topics_per_connection, self.limits.args_characters_per_connection
        url = f"{bybit.SOCKETS}/{self.category}"
        return [
            *pack(self, "books", url, books, BOOKS_PER_CONNECTION, characters),
            *pack(self, "facts", url, cold, most, characters),
        ]

    def topic(self, key: str) -> Topic | None:
        stream, _, symbol = key.rpartition(".")
        if symbol and stream == "tickers":
            return Topic(key, Channel.TICKER, (symbol,), SILENCE)
        if symbol and stream == "allLiquidation":
            return Topic(key, Channel.LIQUIDATIONS, (symbol,))
        if symbol and stream == bybit.FULL:  # not served for contracts yet, and seeded otherwise
            return Topic(key, Channel.OTHER, (symbol,))
        return super().topic(key)

    # -- facts
    def _facts(self, topic: Topic, reader: Reader, message: Record) -> list[Fact]:
        match topic.channel:
            case Channel.TICKER:
                return self._ticker(reader, message)
            case Channel.LIQUIDATIONS:
                return read_rows(reader.rows(message, "data"), lambda row: [self._liquidation(reader, row)])
        return super()._facts(topic, reader, message)

    def _ticker(self, reader: Reader, message: Record) -> list[Fact]:
        """A delta says only what changed: a field that is missing stays as it was, so it gives no fact."""
        data = reader.child(message, "data")
        symbol, at = reader.market, reader.time(message, "ts")
        reader.expect(data, "symbol", symbol)
        found: list[Fact] = []
        if given(data, "markPrice"):
            found.append(facts.MarkPrice(symbol, reader.positive(data, "markPrice"), at))
        if given(data, "indexPrice"):
            found.append(facts.IndexPrice(symbol, reader.positive(data, "indexPrice"), at))
        if given(data, "fundingRate"):
            next_time = reader.time_if_given(data, "nextFundingTime")
            hours = reader.integer(data, "fundingIntervalHour") if given(data, "fundingIntervalHour") else 0
            interval = hours * 3600 if hours > 0 else None
            found.append(facts.Funding(symbol, reader.decimal(data, "fundingRate"), next_time, interval, at))
        if given(data, "singleOpenInterest"):
            found.append(facts.OpenInterest(symbol, reader.decimal(data, "singleOpenInterest"), None, at))
        return found

    def _liquidation(self, reader: Reader, row: Record) -> Fact:
        reader.expect(row, "s", reader.market)
        return facts.Liquidation(
            symbol=reader.market,
            position=reader.choice(row, "S", LIQUIDATED),
            quantity=reader.positive(row, "v"),
            price=reader.positive(row, "p"),
            price_kind="bankruptcy",
            venue_time=reader.time(row, "T"),
            coverage=self.liquidation_coverage,
        )

    def unlisted_contract_size(self, symbol: str) -> Decimal:
        return Decimal(1)  # sizes are coins, of inverse contracts dollars

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        asked = f"category={self.category}&symbol={instrument.symbol}"
        tiers = RestRequest("poll", f"{bybit.REST}/v5/market/risk-limit?{asked}", 1, instrument.symbol, "margin_tiers")
        url = f"{bybit.REST}/v5/market/account-ratio?{asked}&period=5min&limit=1"
        ratio = RestRequest("poll", url, 1, instrument.symbol, LONG_SHORT)
        counted = [Poll(ratio, LONG_SHORT_SECONDS)] if instrument.symbol.endswith(ACCOUNTS_COUNTED) else []
        return [Poll(tiers, TIERS_SECONDS), *counted, *super().polls(instrument)]

    def _polled(self, request: RestRequest, reader: Reader, rows: Sequence[Record], at: int) -> list[Fact]:
        if request.key == "margin_tiers":
            return [self._tiers(reader, rows, at)]
        if request.key == LONG_SHORT:
            return [self._ratio(reader, row) for row in rows]
        return super()._polled(request, reader, rows, at)

    def _ratio(self, reader: Reader, row: Record) -> Fact:
        """Shares of the accounts, each counted once whatever its size."""
        reader.expect(row, "symbol", reader.market)
        ratio = reader.positive(row, "buyRatio") / reader.positive(row, "sellRatio")
        return facts.LongShortRatio(reader.market, ratio, reader.time(row, "timestamp"))

    def _tiers(self, reader: Reader, rows: Sequence[Record], at: int) -> facts.MarginTiers:
        """`riskLimitValue` is the value of a position at the tier's end: quote currency (linear), coins (inverse)."""
        tiers: list[facts.MarginTier] = []
        floor = Decimal(0)
        for row in sorted(rows, key=lambda row: reader.positive(row, "riskLimitValue")):
            reader.expect(row, "symbol", reader.market)
            cap, leverage = reader.positive(row, "riskLimitValue"), reader.positive(row, "maxLeverage")
            if cap == floor:
                raise reader.refused(f"two tiers end at {cap}")
            percent = reader.positive(row, "initialMargin") * leverage > PERCENT_ABOVE
            tiers.append(
                facts.MarginTier(
                    floor=floor,
                    cap=cap,
                    maintenance_ratio=reader.positive(row, "maintenanceMargin") / (100 if percent else 1),
                    max_leverage=leverage,
                    deduction=reader.decimal(row, "mmDeduction") if given(row, "mmDeduction") else None,
                )
            )
            floor = cap
        if not tiers:
            raise reader.refused("no tiers")
        # Where no tier has a deduction the whole position takes the ratio of its own.
        whole = all(tier.deduction is None for tier in tiers[1:])
        unit: Literal["base", "quote"] = "base" if "inverse" in self.contract_types else "quote"
        return facts.MarginTiers(reader.market, tuple(tiers), unit, whole, at)
