"""venues.md from the registry of venues."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from monitor.facts import Channel, ContractType, Instrument
from monitor.reference.text import code, page, table
from monitor.venues.base import Venue

INTRODUCTION = """
What is taken from each venue, how its books are verified, and how much of its liquidations it publishes. The date says when the
facts were last checked against the venue's documentation. Liquidation coverage: `complete` is every liquidation, `sampled` a part
of them (a sum is a lower bound), `inferred` is concluded from other data, `none` means the venue publishes none.
"""


def venues_page(venues: Mapping[str, Venue]) -> str:
    rows = [_row(venue) for venue in venues.values()]
    head = (
        "venue",
        "name in settings",
        "contracts",
        "channels",
        "book verification",
        "liquidation coverage",
        "symbol",
        "checked",
    )
    return page("Venues", INTRODUCTION, table(head, rows))


def _row(venue: Venue) -> tuple[str, ...]:
    return (
        venue.title,
        code(venue.name),
        ", ".join(venue.contract_types),
        ", ".join(channels(venue)),
        venue.verification,
        venue.liquidation_coverage,
        code(venue.symbol_example),
        venue.checked.isoformat(),
    )


def channels(venue: Venue) -> list[str]:
    """Channels the venue's module subscribes to, in the order of the Channel enumeration, plus what is asked over REST."""
    instrument = example_instrument(venue)
    subscribed = {topic.channel for plan in venue.connections([instrument]) for topic in plan.topics}
    if venue.liquidation_coverage != "none":
        subscribed.add(Channel.LIQUIDATIONS)  # some venues tell them among the trades
    found = [str(channel) for channel in Channel if channel in subscribed - {Channel.OTHER}]
    if venue.deep_request(instrument) is not None:
        found.append("deep snapshots (REST)")
    polls = (*venue.polls(instrument), *venue.venue_polls([instrument]))
    polled = dict.fromkeys(
        poll.request.key.partition(":")[0] for poll in polls
    )  # ":" and a page, where there are several
    found += [f"{key.replace('_', ' ')} (REST)" for key in polled]
    if "margin_tiers" not in polled and venue.documented_tiers(instrument) is not None:
        found.append("margin tiers (documented)")
    return found


def example_instrument(venue: Venue) -> Instrument:
    """A made-up listing of the venue's example symbol: enough to ask what would be subscribed."""
    return Instrument(
        venue=venue.name,
        symbol=venue.symbol_example,
        asset="BTC",
        quote="USDT",
        settle="USDT",
        contract_type=cast(ContractType, venue.contract_types[0]),
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
    )
