"""What a connection died of passes to the next one of its plan, through the hub that owns both."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import orjson
from core_rig import Rig
from made_up_venue import MadeUp, connect, listed

from monitor.feed.suspicion import FATAL
from monitor.venues.base import Limits

KEYS = ("book.X", "book.Y", "book.Z")


class Deadly(MadeUp):
    name: ClassVar[str] = "deadly"
    limits: ClassVar[Limits] = replace(MadeUp.limits, fatal_subscribe_seconds=1.0)


VENUE = Deadly()


def asked(rig: Rig) -> list[tuple[int, list[str]]]:
    return [(said["id"], said["keys"]) for said in map(orjson.loads, rig.sends(VENUE.name))]


def answer(rig: Rig, seconds: float, number: int, connection: int = 0) -> None:
    rig.frame(seconds, VENUE.name, orjson.dumps({"done": number}), connection)


def begun() -> Rig:
    rig = Rig(venues={VENUE.name: VENUE})
    rig.list(0, VENUE.name, *(listed(VENUE, symbol) for symbol in "XYZ"))
    connect(rig, 0, VENUE, 0, *KEYS)
    assert asked(rig) == [(1, list(KEYS))]
    return rig


def convicted() -> Rig:
    """Connection after connection, until Z has taken one down alone; then the others run."""
    rig = begun()
    rig.drop(0.1, VENUE.name)
    connect(rig, 1, VENUE, 0, *KEYS)
    assert asked(rig) == [(1, ["book.X", "book.Y"])]
    answer(rig, 1.1, 1)
    assert asked(rig) == [(2, ["book.Z"])]
    rig.drop(1.2, VENUE.name, reason="closed_by_venue")
    connect(rig, 2, VENUE, 0, *KEYS)
    assert asked(rig) == [(1, ["book.X", "book.Y"])]
    answer(rig, 2.1, 1)
    rig.tick(3)
    assert asked(rig) == []
    return rig


def test_the_culprit_is_found_over_connections_and_named() -> None:
    rig = convicted()
    assert rig.venue_view(VENUE.name).faults == (f"book.Z refused: {FATAL}",)
    assert rig.venue_view(VENUE.name).reconnects == {"connection_lost": 1, "closed_by_venue": 1}


def test_a_successor_knows_what_its_predecessor_knows() -> None:
    rig = convicted()
    connect(rig, 4, VENUE, 1, *KEYS)
    assert asked(rig) == [(1, ["book.X", "book.Y"])]
    rig.drop(5, VENUE.name, 0, reason="succeeded")
    answer(rig, 5, 1, 1)
    rig.tick(6)
    assert asked(rig) == []
    rig.drop(7, VENUE.name, 1, reason="silent")
    connect(rig, 8, VENUE, 0, *KEYS)
    assert asked(rig) == [(1, ["book.X", "book.Y"])]


def test_another_plan_is_not_suspected() -> None:
    rig = begun()
    rig.drop(0.1, VENUE.name)
    connect(rig, 1, VENUE, 0, *KEYS, name="another")
    assert asked(rig) == [(1, list(KEYS))]


def test_the_same_events_ask_the_same() -> None:
    assert convicted().venue_view(VENUE.name) == convicted().venue_view(VENUE.name)
