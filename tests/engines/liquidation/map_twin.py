"""The map again, as a list of cohorts and the formulas of models.md 2.1, 2.4, 3.2-3.4 as they are written there: no bins, no scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engines.liquidation.exposure_types import Interval, MapParameters


@dataclass
class Cohort:
    entry: float
    leverage: float
    quantity: float
    funding: float  # the index at entry


@dataclass
class TwinFlows:
    liquidated: tuple[float, float]
    closed: tuple[float, float]
    opened: tuple[float, float]
    crossed: tuple[dict[float, float], dict[float, float]]


class CohortMap:
    """sides[0] longs, sides[1] shorts. Takes intervals the real map accepts; refuses nothing."""

    def __init__(self, parameters: MapParameters) -> None:
        self.parameters = parameters
        self.sides: tuple[list[Cohort], list[Cohort]] = ([], [])
        self.funding = 0.0
        self.open_interest = 0.0

    def liquidation_price(self, sign: int, cohort: Cohort) -> float:
        mmr, leverage, entry = self.parameters.maintenance_rate, cohort.leverage, cohort.entry
        paid = self.funding - cohort.funding
        if self.parameters.inverse:  # U cancels; wallet = U/(e l) minus what funding took, in coin
            wallet = 1 / (entry * leverage) - sign * paid
            return (mmr + sign) / (wallet + sign / entry)
        return (entry * (1 - sign / leverage) + paid) / (1 - sign * mmr)

    def add(self, side: int, entry: float, amount: float, mix: Sequence[float]) -> None:
        for leverage, share in zip(self.parameters.buckets, mix, strict=True):
            if amount * share > 0:
                self.sides[side].append(Cohort(entry, leverage, amount * share, self.funding))

    def seed(self, open_interest: float, prices: Sequence[float], weights: Sequence[float], price: float) -> None:
        mix = [(t + m) / 2 for t, m in zip(self.parameters.taker_mix, self.parameters.maker_mix, strict=True)]
        self.open_interest = open_interest
        for side, sign in ((0, 1), (1, -1)):
            for entry, weight in zip(prices, weights, strict=True):
                self.add(side, entry, open_interest * weight / sum(weights), mix)
            for cohort in self.sides[side]:
                if cohort.leverage > 1 and sign * (self.liquidation_price(sign, cohort) - price) >= 0:
                    cohort.leverage = 1.0

    def step(self, given: Interval) -> TwinFlows:
        p = self.parameters
        rate = given.funding_rate
        paid_at = given.vwap if math.isnan(given.funding_price) else given.funding_price
        self.funding += rate / paid_at if p.inverse else rate * paid_at
        liquidated, crossed = [0.0, 0.0], ({}, {})
        for side, sign, mark in ((0, 1, given.low), (1, -1, given.high)):
            for cohort in self.sides[side]:
                if cohort.leverage == 1:
                    continue
                price = self.liquidation_price(sign, cohort)
                if sign * (price - mark) >= 0:
                    eta = p.survival[p.buckets.index(cohort.leverage)]
                    liquidated[side] += eta * cohort.quantity
                    base = cohort.quantity / price if p.inverse else cohort.quantity
                    crossed[side][cohort.leverage] = crossed[side].get(cohort.leverage, 0.0) + base
                    cohort.quantity *= 1 - eta
                    cohort.leverage = 1.0
        change, volume = given.open_interest_change, given.taker_buy + given.taker_sell
        closings = max(-change, 0) + p.transfer_share * max(0, volume - abs(change)) / 2
        closings = min(closings, self.open_interest)
        closed = [max(0.0, closings - liquidated[side]) for side in (0, 1)]
        gone = 1 - 2 ** (-given.dt_seconds / p.half_life_seconds)
        for side in (0, 1):
            total = sum(cohort.quantity for cohort in self.sides[side])
            keep = 1 - closed[side] / total if total else 0.0
            moved = []
            for cohort in self.sides[side]:
                cohort.quantity *= keep
                if cohort.leverage > 1:
                    moved.append(Cohort(cohort.entry, 1.0, cohort.quantity * gone, cohort.funding))
                    cohort.quantity *= 1 - gone
            self.sides[side].extend(moved)
        buyers = given.taker_buy / volume if volume else 0.5
        opened = [change + liquidated[side] + closed[side] for side in (0, 1)]
        for side, takers in ((0, buyers), (1, 1 - buyers)):
            self.add(side, given.vwap, opened[side], self.mix(side, takers, given))
            self.sides[side][:] = self.merged(side)
        self.open_interest += change
        return TwinFlows(tuple(liquidated), tuple(closed), tuple(opened), crossed)  # type: ignore[arg-type]

    def mix(self, side: int, takers: float, given: Interval) -> list[float]:
        p = self.parameters
        z = 0.0 if math.isnan(given.funding_z) else given.funding_z
        power = max(-p.tilt_cap, min(p.tilt_cap, p.tilt * z)) * (1 if side == 0 else -1)
        tilted = [share * leverage**power for share, leverage in zip(p.taker_mix, p.buckets, strict=True)]
        mix = [takers * t / sum(tilted) + (1 - takers) * m for t, m in zip(tilted, p.maker_mix, strict=True)]
        r = given.long_short_ratio
        factor = 1.0 if math.isnan(r) else (2 * r if side == 0 else 2.0) / (1 + r)
        levered = sum(mix[1:])
        wanted = min(1.0, levered * factor)
        return [1 - wanted] + [share * wanted / levered for share in mix[1:]] if levered else mix

    def merged(self, side: int) -> list[Cohort]:
        """Bucket 1 as one cohort: its entries never matter."""
        levered = [cohort for cohort in self.sides[side] if cohort.leverage > 1 and cohort.quantity > 0]
        rest = sum(cohort.quantity for cohort in self.sides[side] if cohort.leverage == 1)
        return [Cohort(1.0, 1.0, rest, 0.0), *levered]

    def by_bucket(self, side: int) -> list[float]:
        return [
            sum(cohort.quantity for cohort in self.sides[side] if cohort.leverage == leverage)
            for leverage in self.parameters.buckets
        ]

    def liquidations(self, side: int, reference: float, target: float, *, raw: bool = False) -> float:
        """Lambda between the reference and the target price, base coins."""
        sign = 1 if side == 0 else -1
        total = 0.0
        for cohort in self.sides[side]:
            if cohort.leverage == 1:
                continue
            price = self.liquidation_price(sign, cohort)
            if min(reference, target) <= price <= max(reference, target):
                eta = 1.0 if raw else self.parameters.survival[self.parameters.buckets.index(cohort.leverage)]
                total += eta * cohort.quantity / (price if self.parameters.inverse else 1.0)
        return total
