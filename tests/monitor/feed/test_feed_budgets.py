"""Windows, back-off, connect budget and REST budget: never over, never a tight loop, never starving."""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from feed_fakes import LIMITS, SECOND
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import MILLISECOND
from monitor.feed.backoff import (
    CONNECT_SHARE,
    CONNECT_SPACING,
    DELAY_CAP,
    HEALTHY_AFTER,
    LEAST_DELAY,
    Backoff,
    ConnectBudget,
)
from monitor.feed.rest_budget import RATE_LIMIT_ATTEMPTS, RestBudget
from monitor.feed.window import SpendWindow
from monitor.venues.base import RestPurpose, RestRequest

MINUTE = 60 * SECOND


def request(
    purpose: RestPurpose = "snapshot", symbol: str | None = "A", weight: int = 20, key: str = ""
) -> RestRequest:
    return RestRequest(purpose, f"http://x/{purpose}/{symbol}", weight, symbol, key)


def most_within(spent: list[tuple[int, int]], window: int) -> int:
    return max((sum(w for at, w in spent if start <= at < start + window) for start, _ in spent), default=0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 12)), max_size=80), st.integers(1, 10), st.integers(1, 60))
def test_a_window_never_holds_more_than_its_limit_and_free_at_is_exact(
    steps: list[tuple[int, int]], limit: int, length: int
) -> None:
    window = SpendWindow(limit, length)
    spent: list[tuple[int, int]] = []
    at = 0
    for wait, amount in steps:
        at += wait
        when = window.free_at(at, amount)
        assert (when == at) == (window.fits(at, amount) or not window.used(at))
        if amount <= limit:
            plain = next(
                t for t in range(at, at + length + 1) if sum(w for s, w in spent if s > t - length) + amount <= limit
            )
            assert when == plain
        if window.fits(at, amount):
            window.spend(at, amount)
            spent.append((at, amount))
    assert most_within(spent, length) <= limit


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        SpendWindow(0, 1)


def test_backoff_is_full_jitter_capped_and_never_a_tight_loop() -> None:
    backoff = Backoff(Random("seed"))
    delays = [backoff.next_delay() for _ in range(200)]
    assert min(delays) >= LEAST_DELAY
    assert max(delays) <= DELAY_CAP
    assert max(delays[10:]) > DELAY_CAP * 0.9
    assert min(delays[10:]) < DELAY_CAP * 0.2  # full jitter: short ones stay possible
    assert delays == [b.next_delay() for b in [Backoff(Random("seed"))] for _ in range(200)]
    backoff.lived(HEALTHY_AFTER - 1)
    assert backoff.failures == 200
    backoff.lived(HEALTHY_AFTER)
    assert backoff.next_delay() <= SECOND // 2


@given(st.lists(st.integers(0, 3 * SECOND), max_size=60), st.integers(1, 20), st.integers(1, 300))
def test_connects_are_spaced_and_within_the_venues_window(waits: list[int], connects: int, window: int) -> None:
    budget = ConnectBudget(connects, float(window))
    at = 0
    times = []
    for wait in waits:
        at += wait
        when = budget.reserve(at)
        assert when >= at
        times.append(when)
    assert all(later - earlier >= CONNECT_SPACING for earlier, later in pairwise(times))
    assert most_within([(t, 1) for t in times], window * SECOND) <= max(1, int(connects * CONNECT_SHARE))


def budget_of(weight: int = 1000, ratio: float = 0.3, concurrency: int = 3) -> RestBudget:
    from dataclasses import replace

    return RestBudget(replace(LIMITS, rest_weight=weight), ratio, concurrency)


def test_seeds_come_before_polls_before_deep_and_markets_take_turns() -> None:
    budget = budget_of(concurrency=4)
    for symbol in "AB":
        budget.submit(request("poll", symbol, 1, "open_interest"), 0)
        budget.submit(request("poll", symbol, 1, "ratio"), 0)
        budget.submit(request("deep", symbol, 1), 0)
    budget.submit(request("snapshot", "B", 1), 0)
    budget.submit(request("instruments", None, 1), 0)
    order = []
    while (taken := budget.take(0)) is not None:
        order.append((taken.purpose, taken.symbol, taken.key))
        budget.succeeded(taken)
    assert order == [
        ("instruments", None, ""), ("snapshot", "B", ""),
        ("poll", "A", "open_interest"), ("poll", "B", "open_interest"), ("poll", "A", "ratio"), ("poll", "B", "ratio"),
        ("deep", "A", ""), ("deep", "B", ""),
    ]  # fmt: skip


def test_one_request_per_market_and_purpose() -> None:
    budget = budget_of()
    assert budget.submit(request(), 0)
    assert not budget.submit(request(), 0)
    taken = budget.take(0)
    assert not budget.submit(request(), 0)
    assert taken is not None
    budget.succeeded(taken)
    assert budget.submit(request(), 0)
    assert budget.queued == 1


def test_the_venues_own_count_is_respected() -> None:
    budget = budget_of(weight=1000, ratio=0.5)
    budget.submit(request(symbol="A"), 0)
    first = budget.take(0)
    assert first is not None
    budget.used_weight(first, 5 * SECOND, 885)  # others at this address
    budget.succeeded(first)
    assert budget.used_ratio(5 * SECOND) == pytest.approx(0.885)
    budget.submit(request(symbol="B"), 5 * SECOND)
    assert budget.take(5 * SECOND) is None
    assert budget.wake_at(5 * SECOND) == 65 * SECOND
    assert budget.take(65 * SECOND) is not None
    assert budget.used_ratio(66 * SECOND) == pytest.approx(0.02)


def test_what_is_on_the_way_is_added_to_the_venues_count() -> None:
    budget = budget_of(weight=1000, ratio=1.0)
    for symbol in "AB":
        budget.submit(request(symbol=symbol, weight=100), 0)
    first = budget.take(0)
    assert first is not None
    assert budget.take(0) is not None
    budget.used_weight(first, SECOND, 750)  # may not hold the second one
    budget.succeeded(first)
    budget.submit(request(symbol="C", weight=100), SECOND)
    assert budget.take(SECOND) is None  # 750 + 100 + 100 > 900


def test_a_request_heavier_than_our_share_goes_alone() -> None:
    budget = budget_of(weight=100, ratio=0.1)
    budget.submit(request(symbol="A", weight=50), 0)
    budget.submit(request(symbol="B", weight=50), 0)
    first = budget.take(0)
    assert first is not None
    budget.succeeded(first)
    assert budget.take(0) is None
    assert budget.wake_at(0) == MINUTE
    assert budget.take(MINUTE) is not None


def test_a_light_poll_does_not_starve_a_heavy_seed() -> None:
    budget = budget_of(weight=100, ratio=1.0)
    budget.submit(request("snapshot", "A", 60), 0)
    budget.submit(request("snapshot", "B", 60), 0)
    budget.submit(request("poll", "A", 1), 0)
    first = budget.take(0)
    assert first is not None
    budget.succeeded(first)
    assert budget.take(0) is None


def test_rate_limits_pause_the_venue_and_are_bounded() -> None:
    budget = budget_of()
    budget.submit(request(), 0)
    at, waits = 0, []
    for attempt in range(1, RATE_LIMIT_ATTEMPTS + 1):
        taken = budget.take(at)
        assert taken is not None
        again = budget.rate_limited(taken, at, 0.0)
        assert again == (attempt < RATE_LIMIT_ATTEMPTS)
        if again:
            wake = budget.wake_at(at)
            assert wake is not None
            waits.append((wake - at) // SECOND)
            assert budget.take(wake - 1) is None
            at = wake
    assert waits == [1, 2, 4, 8]
    assert budget.submit(request(), at)


def test_a_long_retry_after_is_not_cut_short() -> None:
    budget = budget_of()
    budget.submit(request(), 0)
    taken = budget.take(0)
    assert taken is not None
    budget.rate_limited(taken, 0, 7200.0)
    assert budget.wake_at(0) == 7200 * SECOND


def test_retry_after_is_honoured() -> None:
    budget = budget_of()
    budget.submit(request(symbol="A"), 0)
    budget.submit(request(symbol="B"), 0)
    taken = budget.take(0)
    assert taken is not None
    budget.rate_limited(taken, 0, 37.0)
    assert budget.take(36 * SECOND) is None
    assert budget.wake_at(0) == 37 * SECOND
    again = budget.take(37 * SECOND)
    assert again is not None
    assert again.symbol == "A"


def test_a_failed_request_cools_down_but_not_its_neighbours() -> None:
    budget = budget_of()
    at = 0
    waits = []
    for _ in range(8):
        budget.submit(request(symbol="A", weight=1), at)
        budget.submit(request(symbol="B", weight=1), at)
        when = budget.wake_at(at)
        assert when is not None
        while (taken := budget.take(at)) is not None and taken.symbol == "B":
            budget.succeeded(taken)
        if taken is None:
            wake = budget.wake_at(at)
            assert wake is not None
            waits.append(wake - at)
            at = wake
            taken = budget.take(at)
        assert taken is not None
        assert taken.symbol == "A"
        budget.failed(taken, at)
    assert waits == sorted(waits)
    assert waits[-1] == 30 * SECOND


def test_a_halt_stops_everything_and_ends_with_one_probe() -> None:
    budget = budget_of()
    for symbol in "ABC":
        budget.submit(request(symbol=symbol), 0)
    taken = budget.take(0)
    assert taken is not None
    assert budget.halt(taken, 0, 600.0) == 600 * SECOND
    assert budget.halted(599 * SECOND)
    assert not budget.submit(request(symbol="A"), SECOND)
    assert budget.take(599 * SECOND) is None
    assert budget.wake_at(0) == 600 * SECOND
    probe = budget.take(600 * SECOND)
    assert probe is not None
    assert budget.take(600 * SECOND) is None
    assert budget.wake_at(600 * SECOND) is None
    budget.succeeded(probe)
    assert budget.take(600 * SECOND) is not None
    assert budget.take(600 * SECOND) is not None


def test_a_halt_without_end() -> None:
    budget = budget_of()
    budget.submit(request(), 0)
    taken = budget.take(0)
    assert taken is not None
    assert budget.halt(taken, 0, None) is None
    assert budget.wake_at(0) is None
    assert budget.take(10**18) is None


outcomes = st.sampled_from(["ok", "ok", "ok", "fail", "429", "header", "halt"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, SECOND // 3, SECOND, 20 * SECOND, 61 * SECOND]),
            st.sampled_from(["snapshot", "deep", "poll", "instruments"]),
            st.sampled_from("ABCDE"),
            outcomes,
        ),
        max_size=120,
    ),
    st.integers(30, 400),
    st.sampled_from([0.1, 0.3, 1.0]),
    st.integers(1, 4),
)
def test_never_over_the_window_and_never_stuck(
    schedule: list[tuple[int, Any, str, str]], weight: int, ratio: float, concurrency: int
) -> None:
    budget = budget_of(weight, ratio, concurrency)
    spent: list[tuple[int, int]] = []
    wire: list[RestRequest] = []
    at = 0

    def take_all() -> None:
        while (taken := budget.take(at)) is not None:
            assert taken not in wire
            spent.append((at, taken.weight))
            wire.append(taken)
            assert len(wire) <= concurrency

    for wait, purpose, symbol, outcome in schedule:
        at += wait
        budget.submit(request(purpose, symbol, 5), at)
        take_all()
        wake = budget.wake_at(at)
        assert wake is None or wake > at, "the executor would spin"
        if wire:
            done = wire.pop(0)
            match outcome:
                case "ok":
                    budget.succeeded(done)
                case "fail":
                    budget.failed(done, at)
                case "429":
                    budget.rate_limited(done, at, 2.0)
                case "header":
                    budget.used_weight(done, at, weight // 2)
                    budget.succeeded(done)
                case "halt":
                    budget.halt(done, at, 30.0)
        take_all()
    assert most_within(spent, MINUTE) <= max(5, int(weight * ratio))
    for _ in range(2000):  # everything asked for is answered in the end
        for done in wire:
            budget.succeeded(done)
        wire.clear()
        if not budget.queued:
            break
        wake = budget.wake_at(at)
        assert wake is not None
        at = max(at, wake)
        take_all()
    assert budget.queued == 0


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([0.3, 0.5, 1.0]),
    st.integers(0, 59),
    st.lists(st.tuples(st.sampled_from([1, 2, 20]), st.integers(1, 300)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 90)), max_size=4),
)
def test_two_venues_of_one_address_share_its_limit_by_the_weight_it_tells(
    ratio: float, phase: int, works: list[tuple[int, int]], quiet: list[tuple[int, int]]
) -> None:
    """Each sees only its own replies, and those tell what the address has used: even with a whole limit of its own each."""
    limit, window, concurrency = 2400, 60 * SECOND, 3
    limits = replace(LIMITS, rest_weight=limit, rest_window_seconds=60.0)
    budgets = [RestBudget(limits, ratio, concurrency) for _ in range(2)]
    used: dict[int, int] = {}  # the venue's fixed windows
    on_wire: list[tuple[int, int, int, RestRequest]] = []  # arrives, number, budget, request
    number = 0
    for step in range(1500):  # 150 s
        at = step * SECOND // 10
        while on_wire and on_wire[0][0] <= at:
            _, _, which, request = heapq.heappop(on_wire)
            minute = (at + phase * SECOND) // window
            used[minute] = used.get(minute, 0) + request.weight
            budgets[which].used_weight(request, at, used[minute])
            budgets[which].succeeded(request)
        for which, budget in enumerate(budgets):
            if any(other == which and start * 10 <= step < start * 10 + 300 for other, start in quiet):
                continue
            while (request := budget.take(at)) is not None:
                _, late = works[number % len(works)]
                number += 1
                heapq.heappush(on_wire, (at + late * MILLISECOND, number, which, request))
            while budget.queued < 2 * concurrency:
                number += 1
                weight, _ = works[number % len(works)]
                budget.submit(RestRequest("poll", "http://x/", weight, key=str(number)), at)
    assert max(used.values()) <= limit
