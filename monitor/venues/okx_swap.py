"""OKX v5 swaps (perpetuals), linear and inverse. Facts as of 2026-11-22.

Sizes are contracts; `ctVal * ctMult` is what one is worth. Liquidations come for all swaps at once, at most one a contract and
second (a sample), with the bankruptcy price; the first frame may replay the recent past, so who counts them must know a print by
(market, time, side, size, price). Margin tiers are in contracts, and the whole position takes the ratio of its own tier.

Not given by the venue: an age at which connections are cut, the cadence of funding and open interest, a message rate on the
socket, how many cold topics a connection may hold (our own bound stands in), the moment a margin tier was valid (0 stands in).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Final

from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import okx
from monitor.venues.base import LiquidationRule, Poll, RestRequest, Topic
from monitor.venues.naming import coin_of
from monitor.venues.packing import read_rows
from monitor.venues.reading import Reader, Record, given, shown

MARK_SILENCE: Final = 30.0  # pushed on change, else every 10 s
TIERS_SECONDS: Final = 12 * 3600.0
RATIO: Final = f"{okx.REST}/api/v5/rubik/stat/contracts/long-short-account-ratio-contract"
LONG_SHORT: Final = "long_short_ratio"
# It is counted every five minutes; asked so often of thirty markets it would take the place of deep books. It changes slowly.
LONG_SHORT_SECONDS: Final = 900.0
LIQUIDATIONS: Final = "liquidation-orders:SWAP"
SWAP: Final = "-SWAP"
# ctVal * ctMult, for captures without a listing.
KNOWN_SIZES: Final = {"BTC-USDT-SWAP": Decimal("0.01")}
CLOSED_BY: Final[dict[str, facts.Position]] = {"sell": "long", "buy": "short"}
FIGURES: Final = ("trades", "mark-price", "funding-rate", "open-interest")


class OkxSwap(okx.OkxVenue):
    name: ClassVar[str] = "okx_swap"
    title: ClassVar[str] = "OKX swaps"
    kind: ClassVar[str] = "SWAP"
    contract_types: ClassVar[tuple[str, ...]] = ("linear", "inverse")
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    liquidation: ClassVar[LiquidationRule] = LiquidationRule(
        "OKX: margin ratio of 100%; the whole position takes its tier's ratio and the closing fee is inside",
        taker_fee=0.0005,
    )
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}-[0-9A-Z]{2,10}-SWAP$"
    symbol_example: ClassVar[str] = "BTC-USDT-SWAP"
    inverse_symbols: ClassVar[str | None] = r".*-USD-SWAP"

    # -- instruments
    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "instId")
        reader = Reader(self.name, "instruments", symbol)
        base_coin, _, quote_coin = reader.text(row, "instFamily").partition("-")
        kind = reader.text(row, "ctType")
        if kind not in ("linear", "inverse"):
            raise reader.refused(f"ctType is not linear or inverse: {shown(kind)!r}")
        # A contract is worth base coins (linear) or quote units (inverse); anything else would make every size wrong.
        reader.expect(row, "ctValCcy", base_coin if kind == "linear" else quote_coin)
        asset, multiplier = coin_of(base_coin)
        status = reader.text(row, "state")
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=quote_coin,
            settle=reader.text(row, "settleCcy"),
            contract_type="linear" if kind == "linear" else "inverse",
            tick_size=reader.positive(row, "tickSz"),
            lot_size=reader.positive(row, "lotSz"),
            contract_size=reader.positive(row, "ctVal") * reader.positive(row, "ctMult"),
            unit_multiplier=multiplier,
            trading=status == "live",
            status=status,
        )

    def unlisted_contract_size(self, symbol: str) -> Decimal | None:
        return KNOWN_SIZES.get(symbol)

    # -- sockets
    def _shared_topics(self) -> list[str]:
        return [LIQUIDATIONS, *super()._shared_topics()]

    def _market_topics(self, symbol: str) -> list[str]:
        return [*(f"{channel}:{symbol}" for channel in FIGURES), f"index-tickers:{symbol.removesuffix(SWAP)}"]

    def topic(self, key: str) -> Topic | None:
        channel, _, subject = key.partition(":")
        match channel if subject else "":
            case "liquidation-orders":
                return Topic(key, Channel.LIQUIDATIONS, ())
            case "mark-price":
                return Topic(key, Channel.TICKER, (subject,), MARK_SILENCE)
            case "funding-rate" | "open-interest":
                return Topic(key, Channel.TICKER, (subject,))
            case "index-tickers":
                return Topic(key, Channel.TICKER, (subject + SWAP,))  # an index pair and its swap share the name
        return super().topic(key)

    # -- facts
    def _facts(self, topic: Topic, reader: Reader, rows: Sequence[Record]) -> list[Fact]:
        match topic.channel:
            case Channel.TICKER:
                read = self._index if topic.key.startswith("index-tickers:") else self._ticker
                return [fact for row in rows for fact in read(reader, row)]
            case Channel.LIQUIDATIONS:
                return read_rows(rows, lambda row: self._liquidations(reader, row))
        return super()._facts(topic, reader, rows)

    def _index(self, reader: Reader, row: Record) -> list[Fact]:
        reader.expect(row, "instId", reader.market.removesuffix(SWAP))
        return [facts.IndexPrice(reader.market, reader.positive(row, "idxPx"), reader.time(row, "ts"))]

    def _ticker(self, reader: Reader, row: Record) -> list[Fact]:
        reader.expect(row, "instId", reader.market)
        at = reader.time(row, "ts")
        found: list[Fact] = []
        if given(row, "markPx"):
            found.append(facts.MarkPrice(reader.market, reader.positive(row, "markPx"), at))
        if given(row, "oi"):
            found.append(facts.OpenInterest(reader.market, reader.decimal(row, "oi"), None, at))
        if given(row, "fundingRate"):
            due = reader.time(row, "fundingTime")
            interval = reader.time(row, "nextFundingTime") - due if given(row, "nextFundingTime") else 0
            seconds = interval // 1_000_000_000 if interval > 0 else None
            found.append(facts.Funding(reader.market, reader.decimal(row, "fundingRate"), due, seconds, at))
        return found

    def _liquidations(self, reader: Reader, row: Record) -> list[Fact]:
        symbol = reader.text(row, "instId")
        reader = Reader(self.name, reader.channel, symbol)
        return read_rows(reader.rows(row, "details"), lambda detail: [self._liquidation(reader, detail)])

    def _liquidation(self, reader: Reader, detail: Record) -> Fact:
        position = reader.choice(detail, "side", CLOSED_BY)  # posSide may be "net"
        if detail.get("posSide") in ("long", "short"):
            reader.expect(detail, "posSide", position)
        return facts.Liquidation(
            symbol=reader.market,
            position=position,
            quantity=reader.positive(detail, "sz"),
            price=reader.positive(detail, "bkPx"),
            price_kind="bankruptcy",
            venue_time=reader.time(detail, "ts"),
            coverage=self.liquidation_coverage,
        )

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        symbol, family = instrument.symbol, instrument.symbol.removesuffix(SWAP)
        url = f"{okx.REST}/api/v5/public/position-tiers?instType=SWAP&tdMode=cross&instFamily={family}"
        tiers = RestRequest("poll", url, 2, symbol, "margin_tiers")
        # Of the past too: its weight at a start would keep deep books waiting.
        ratio = RestRequest("history", f"{RATIO}?instId={symbol}&period=5m&limit=1", 4, symbol, LONG_SHORT)
        return [Poll(tiers, TIERS_SECONDS), Poll(ratio, LONG_SHORT_SECONDS), *super().polls(instrument)]

    def polled(self, reader: Reader, data: object) -> list[Fact]:
        if reader.channel != LONG_SHORT:
            return [self._margin_tiers(reader, reader.records(data, "data"))]
        if not isinstance(data, list) or not all(isinstance(row, list) and len(row) >= 2 for row in data):
            raise reader.refused("data is not an array of times and ratios")
        rows = [{"ts": row[0], "ratio": row[1]} for row in data]
        return [facts.LongShortRatio(reader.market, reader.positive(r, "ratio"), reader.time(r, "ts")) for r in rows]

    def _margin_tiers(self, reader: Reader, rows: Sequence[Record]) -> Fact:
        tiers: list[facts.MarginTier] = []
        floor = Decimal(0)
        for row in sorted(rows, key=lambda row: reader.integer(row, "tier")):
            reader.expect(row, "instFamily", reader.market.removesuffix(SWAP))
            cap = reader.positive(row, "maxSz")
            if cap <= floor or not floor <= reader.decimal(row, "minSz") <= cap:
                raise reader.refused(f"tier {reader.integer(row, 'tier')} does not follow the one before")
            ratio, leverage = reader.positive(row, "mmr"), reader.positive(row, "maxLever")
            tiers.append(facts.MarginTier(floor, cap, ratio, leverage))
            floor = cap
        if not tiers:
            raise reader.refused("no tiers")
        return facts.MarginTiers(reader.market, tuple(tiers), "contracts", whole=True, venue_time=0)
