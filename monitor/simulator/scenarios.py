"""Named scenarios: phases of conditions over scenario time. Each ends calmly and begins again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from monitor.errors import SettingsError
from monitor.simulator.conditions import CALM, Conditions


@dataclass(frozen=True, slots=True)
class Phase:
    """`seconds` of one state of affairs; conditions are reached linearly within `ramp_seconds`.

    `others` is what assets not named in `conditions` go through; `down` are the places (from 0, in the order of the simulated venues)
    of venues that are unreachable and stand still; where there are fewer it is counted round.
    """

    name: str
    seconds: float
    conditions: Mapping[str, Conditions] = field(default_factory=dict)
    others: Conditions = CALM
    ramp_seconds: float = 2.0
    down: frozenset[int] = frozenset()

    def of(self, asset: str) -> Conditions:
        return self.conditions.get(asset, self.others)


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    description: str
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    def at(self, seconds: float) -> tuple[int, Phase, Phase, float]:
        """(number counted over repetitions, phase, the phase before, seconds since its start)."""
        rounds, inside = divmod(seconds, self.seconds)
        number = int(rounds) * len(self.phases)
        before = self.phases[-1] if rounds else self.phases[0]
        for phase in self.phases:
            if inside < phase.seconds:
                return number, phase, before, inside
            inside -= phase.seconds
            before, number = phase, number + 1
        return number - 1, self.phases[-1], self.phases[-2 if len(self.phases) > 1 else -1], self.phases[-1].seconds

    def conditions(self, asset: str, seconds: float) -> Conditions:
        _, phase, before, inside = self.at(seconds)
        if inside >= phase.ramp_seconds:
            return phase.of(asset)
        return before.of(asset).blend(phase.of(asset), inside / phase.ramp_seconds)


SCENARIOS: dict[str, Scenario] = {}


def _register(name: str, description: str, *phases: Phase) -> None:
    SCENARIOS[name] = Scenario(name, description, phases)


def scenario(name: str) -> Scenario:
    """Raises SettingsError naming the scenarios there are."""
    try:
        return SCENARIOS[name]
    except KeyError:
        raise SettingsError(f"no scenario {name!r}; there are: {', '.join(SCENARIOS)}") from None


def both(btc: Conditions, eth_share: float = 0.5) -> dict[str, Conditions]:
    """The same state of affairs on both assets; ETH's USD flows are a share of BTC's."""
    scaled = {
        name: getattr(btc, name) * eth_share
        for name in ("seller_usd", "buyer_usd", "patient_usd", "new_long_usd", "new_short_usd")
    }
    return {"BTC": btc, "ETH": replace(btc, **scaled)}


# After a fall the price walks back to where it began, so that a scenario may repeat for hours.
HEAL = both(replace(CALM, pull=0.02, volatility=1.5))

_register("calm", "an ordinary afternoon: full books, balanced trades, no liquidation to speak of", Phase("calm", 600))

_register(
    "slow_bleed",
    "the price slides for minutes under steady selling while market makers quietly quote less",
    Phase("calm", 30),
    Phase(
        "bleed",
        240,
        both(replace(CALM, drift=-0.000_08, taker_bias=-0.35, taker_rate=1.4, bid_appetite=0.55, ask_appetite=0.8)),
        ramp_seconds=30,
    ),
    Phase("heal", 240, HEAL, ramp_seconds=20),
)

_register(
    "vacuum",
    "bids are withdrawn within seconds although hardly anything is sold",
    Phase("calm", 30),
    Phase("withdrawal", 12, both(replace(CALM, bid_appetite=0.12, withdraw_bids=0.25, withdraw_ratio=0.05))),
    Phase("vacuum", 60, both(replace(CALM, bid_appetite=0.12, withdraw_bids=0.02, withdraw_ratio=0.05))),
    Phase("heal", 180, HEAL, ramp_seconds=20),
)

_register(
    "patient_seller",
    "one large holder works an order for minutes, taking only what stands near the best bid",
    Phase("calm", 30),
    Phase(
        "selling",
        240,
        {"BTC": replace(CALM, patient_usd=3e6, taker_bias=-0.05)},
        ramp_seconds=5,
    ),
    Phase("heal", 180, HEAL, ramp_seconds=20),
)

_LEVERED = both(replace(CALM, new_long_usd=16e6, leverage=60.0, taker_bias=0.1))
_DUMP = both(
    replace(CALM, seller_usd=6e6, bid_appetite=0.4, withdraw_bids=0.03, taker_bias=-0.4, taker_rate=2.0, volatility=2.0)
)
_RUN = both(
    replace(
        CALM, bid_appetite=0.25, withdraw_bids=0.05, taker_bias=-0.5, taker_rate=2.5, volatility=3.0, seller_usd=2e6
    )
)

_register(
    "cascade",
    "longs with high leverage pile up, a large sale triggers the first, each liquidation triggers the next",
    Phase("calm", 15),
    Phase("leverage", 25, _LEVERED),
    Phase("dump", 20, _DUMP),
    Phase("cascade", 50, _RUN),
    Phase("exhaustion", 30, both(replace(CALM, bid_appetite=0.5, volatility=2.0)), ramp_seconds=10),
    Phase("heal", 220, HEAL, ramp_seconds=30),
)

_SQUEEZE_LEVERED = both(replace(CALM, new_short_usd=16e6, leverage=60.0, taker_bias=-0.1))
_SQUEEZE_BUY = both(
    replace(CALM, buyer_usd=6e6, ask_appetite=0.4, withdraw_asks=0.03, taker_bias=0.4, taker_rate=2.0, volatility=2.0)
)
_SQUEEZE_RUN = both(
    replace(CALM, ask_appetite=0.25, withdraw_asks=0.05, taker_bias=0.5, taker_rate=2.5, volatility=3.0, buyer_usd=2e6)
)

_register(
    "short_squeeze",
    "the mirror of the cascade: shorts with high leverage are bought in as the price runs up",
    Phase("calm", 15),
    Phase("leverage", 25, _SQUEEZE_LEVERED),
    Phase("buying", 20, _SQUEEZE_BUY),
    Phase("squeeze", 50, _SQUEEZE_RUN),
    Phase("exhaustion", 30, both(replace(CALM, ask_appetite=0.5, volatility=2.0)), ramp_seconds=10),
    Phase("heal", 220, HEAL, ramp_seconds=30),
)

_register(
    "outage",
    "one venue (the second of those simulated) becomes unreachable in a falling market and comes back; the others go on",
    Phase("calm", 30),
    Phase("falling", 20, both(replace(CALM, seller_usd=1.5e6, bid_appetite=0.7))),
    Phase("outage", 45, both(replace(CALM, seller_usd=0.8e6, bid_appetite=0.7)), down=frozenset({1})),
    Phase("return", 30, both(replace(CALM, volatility=1.5))),
    Phase("heal", 180, HEAL, ramp_seconds=20),
)
