"""Fresh snapshots for a recording that begins a new file."""

from __future__ import annotations

from monitor.events import Command, Fetch
from monitor.hub import Hub


def fresh_seeds(hub: Hub) -> list[Command]:
    """Ask for the snapshot of every book that a snapshot seeds, so that a new file can be replayed without the one before.

    The running hub takes no notice of the answers (its books are seeded); a replay of the new file alone is seeded by them.
    """
    requests = (
        (market.venue, market.venue.snapshot_request(market.instrument))
        for market in hub.markets.values()
        if market.venue.book.sequence.seeded_by_rest
    )
    return [Fetch(venue.name, request) for venue, request in requests if request is not None]
