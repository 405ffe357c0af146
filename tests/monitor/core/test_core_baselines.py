"""Baselines of many series: like with like, frozen under stress, alive across restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.baselines import LONG_CHRONIC_WEEKS, MIN_HOUR_SAMPLES, Baselines, Observation, Saved, SeriesKey

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
WEEK = 168 * HOUR
MONDAY = 1_780_272_000 * SECOND  # 2026-06-01 00:00 UTC, a Monday
KEY = SeriesKey("binance_usdm", "BTCUSDT", "bid", "1%", "live")
LOCAL = "binance_usdm:BTCUSDT"


def feed(
    baselines: Baselines, usd: float, start: int, seconds: int, key: SeriesKey = KEY, frozen: tuple[str, ...] = ()
) -> int:
    for i in range(seconds):
        baselines.observe([Observation(key, usd)], start + i * SECOND, frozen)
    return start + seconds * SECOND


def test_unknown_until_warm_then_the_mean_of_the_log() -> None:
    baselines = Baselines(warmup_seconds=10)
    assert baselines.acute(KEY, MONDAY) is None
    now = feed(baselines, 4e6, MONDAY, 9)
    assert baselines.acute(KEY, now) is None
    now = feed(baselines, 4e6, now, 1)
    assert baselines.acute(KEY, now) == pytest.approx(4e6)


def test_the_start_is_a_plain_mean_and_does_not_hang_on_the_first_sample() -> None:
    baselines = Baselines(warmup_seconds=2)
    feed(baselines, 1e6, MONDAY, 1)
    now = feed(baselines, 4e6, MONDAY + SECOND, 3)
    # Three quarters of the way in logs; the seasonal bins take next to nothing in four seconds.
    assert baselines.acute(KEY, now) == pytest.approx(1e6 * 4 ** (3 / 4), rel=1e-4)


def test_a_warmup_shorter_than_two_seconds_still_asks_for_two_samples() -> None:
    baselines = Baselines(warmup_seconds=0)
    now = feed(baselines, 1e6, MONDAY, 1)
    assert baselines.acute(KEY, now) is None
    now = feed(baselines, 1e6, now, 1)
    assert baselines.acute(KEY, now) == pytest.approx(1e6)


def test_bases_sides_bands_and_markets_never_mix() -> None:
    baselines = Baselines(warmup_seconds=2)
    keys = {
        KEY: 1e6,
        KEY._replace(basis="floor"): 9e6,
        KEY._replace(basis="snapshot"): 5e6,
        KEY._replace(side="ask"): 2e6,
        KEY._replace(band="2%"): 3e6,
        KEY._replace(venue="okx_swap"): 4e6,
        KEY._replace(market="BTCUSDC"): 6e6,
    }
    for i in range(5):
        baselines.observe([Observation(key, usd) for key, usd in keys.items()], MONDAY + i * SECOND)
    for key, usd in keys.items():
        assert baselines.acute(key, MONDAY) == pytest.approx(usd)


def test_the_basis_last_seen_is_the_one_a_missing_figure_is_counted_on() -> None:
    baselines = Baselines(warmup_seconds=2)
    where = KEY[:4]
    assert baselines.last_key(*where) is None
    feed(baselines, 1e6, MONDAY, 1)
    assert baselines.last_key(*where) == KEY
    floor = KEY._replace(basis="floor")
    feed(baselines, 1e6, MONDAY + SECOND, 1, floor)
    assert baselines.last_key(*where) == floor
    feed(baselines, 1e6, MONDAY + 2 * SECOND, 1, frozen=(LOCAL,))
    assert baselines.last_key(*where) == KEY


def test_frozen_markets_stand_still_and_others_move() -> None:
    baselines = Baselines(warmup_seconds=2)
    other = KEY._replace(market="ETHUSDT")
    for i in range(5):
        baselines.observe([Observation(KEY, 1e6), Observation(other, 1e6)], MONDAY + i * SECOND)
    for i in range(5, 50):
        baselines.observe([Observation(KEY, 1e3), Observation(other, 1e3)], MONDAY + i * SECOND, [LOCAL])
    assert baselines.acute(KEY, MONDAY) == pytest.approx(1e6)
    moved = baselines.acute(other, MONDAY)
    assert moved is not None
    assert moved < 1e5


def test_a_frozen_hour_teaches_the_chronic_baseline_nothing() -> None:
    baselines = Baselines(warmup_seconds=2)
    now = feed(baselines, 8e6, MONDAY, MIN_HOUR_SAMPLES)
    feed(baselines, 1.0, now, MIN_HOUR_SAMPLES, frozen=(LOCAL,))
    feed(baselines, 8e6, MONDAY + HOUR, 1)
    assert baselines.chronic(KEY, MONDAY + WEEK) == pytest.approx(8e6)


def test_unknown_and_empty_depth_are_no_observation() -> None:
    baselines = Baselines(warmup_seconds=2)
    now = feed(baselines, 1e6, MONDAY, 3)
    for usd in (0.0, math.nan, -1.0):
        now = feed(baselines, usd, now, 3)
    assert baselines.acute(KEY, now) == pytest.approx(1e6)
    empty = KEY._replace(side="ask")
    feed(baselines, 0.0, now, 5, empty)
    assert baselines.acute(empty, now) is None


def test_growth_beyond_the_first_sixty_four_rows_keeps_every_series() -> None:
    baselines = Baselines(warmup_seconds=2)
    keys = [KEY._replace(market=f"M{i}USDT") for i in range(200)]
    for i in range(3):
        baselines.observe([Observation(key, 1e6 + n) for n, key in enumerate(keys)], MONDAY + i * SECOND)
    for n, key in enumerate(keys):
        assert baselines.acute(key, MONDAY) == pytest.approx(1e6 + n, rel=1e-9)
    # Rows that came one by one, across two doublings.
    slow = Baselines(warmup_seconds=1)
    for n, key in enumerate(keys):
        feed(slow, 1e6 + n, MONDAY + n * SECOND, 2, key)
    assert [slow.acute(key, MONDAY) for key in keys] == pytest.approx([1e6 + n for n in range(200)], rel=1e-6)


def test_chronic_is_the_mean_of_the_same_hour_of_the_weeks_before() -> None:
    baselines = Baselines(warmup_seconds=2)
    for week, usd in enumerate((6e6, 8e6, 10e6)):
        feed(baselines, usd, MONDAY + week * WEEK, MIN_HOUR_SAMPLES)
        feed(baselines, 99e6, MONDAY + week * WEEK + HOUR, MIN_HOUR_SAMPLES)  # another hour of the day
        feed(baselines, 1.0, MONDAY + week * WEEK + 2 * HOUR, MIN_HOUR_SAMPLES - 1)  # too short to count
    now = MONDAY + 3 * WEEK
    feed(baselines, 5e6, now, 1)
    assert baselines.chronic(KEY, now) == pytest.approx(8e6, rel=1e-6)
    assert baselines.chronic(KEY, now, weeks=1) == pytest.approx(10e6, rel=1e-6)
    assert baselines.chronic(KEY, now + HOUR) == pytest.approx(99e6, rel=1e-6)
    assert baselines.chronic(KEY, now + 2 * HOUR) is None
    assert baselines.chronic(KEY, now + 3 * HOUR) is None


def test_an_hour_counts_by_its_own_mean() -> None:
    baselines = Baselines(warmup_seconds=2)
    now = feed(baselines, 4e6, MONDAY, MIN_HOUR_SAMPLES // 2)
    feed(baselines, 6e6, now, MIN_HOUR_SAMPLES // 2)
    feed(baselines, 1e6, MONDAY + HOUR, 1)
    assert baselines.chronic(KEY, MONDAY + WEEK) == pytest.approx(5e6, rel=1e-6)


def test_after_a_year_an_hour_is_forgotten() -> None:
    baselines = Baselines(warmup_seconds=2)
    feed(baselines, 7e6, MONDAY, MIN_HOUR_SAMPLES)
    later = MONDAY + 52 * WEEK
    feed(baselines, 1e6, later, 1)
    assert baselines.chronic(KEY, later, weeks=52) == pytest.approx(7e6, rel=1e-6)
    for weeks in (53, 106, 200):
        now = MONDAY + weeks * WEEK
        feed(baselines, 1e6, now, 1)
        assert baselines.chronic(KEY, now, weeks=52) is None


# -- across restarts
def restarted(baselines: Baselines, saved_at: int, now: int, store: dict[tuple[str, str], Saved]) -> Baselines:
    """What the state file does: rows replace those of the same kind and key, and come back as JSON gives them."""
    for row in baselines.dump(saved_at):
        store[row.kind, row.key] = row
    after = Baselines(warmup_seconds=2)
    after.load(store.values(), now)
    return after


def test_everything_survives_a_restart() -> None:
    before = Baselines(warmup_seconds=2)
    keys = [KEY, KEY._replace(basis="floor"), KEY._replace(market="1000PEPEUSDT", side="ask")]
    for n, key in enumerate(keys):
        feed(before, (n + 1) * 1e6, MONDAY + n * SECOND, 0, key)
    for i in range(MIN_HOUR_SAMPLES + 10):
        before.observe([Observation(key, (n + 1) * 1e6 + i) for n, key in enumerate(keys)], MONDAY + i * SECOND)
    now = MONDAY + HOUR
    feed(before, 1e6, now, 1)
    after = restarted(before, now + SECOND, now + 2 * SECOND, {})
    for key in keys:
        assert after.acute(key, now) == before.acute(key, now)
        assert after.chronic(key, MONDAY + WEEK) == before.chronic(key, MONDAY + WEEK)
        assert after.last_key(*key[:4]) is not None
    assert after.chronic(keys[0], MONDAY + WEEK) is not None
    # And goes on in the same way.
    for one in (before, after):
        feed(one, 3e6, now + 3 * SECOND, 5)
    assert after.acute(KEY, now) == before.acute(KEY, now)


def test_a_restart_weeks_later_keeps_what_was_known_and_nothing_else() -> None:
    store: dict[tuple[str, str], Saved] = {}
    before = Baselines(warmup_seconds=2)
    feed(before, 6e6, MONDAY, MIN_HOUR_SAMPLES)
    feed(before, 6e6, MONDAY + HOUR, 1)
    now = MONDAY + 5 * WEEK
    after = restarted(before, MONDAY + HOUR + SECOND, now, store)
    assert after.acute(KEY, now) == pytest.approx(6e6)
    assert after.chronic(KEY, now) == pytest.approx(6e6)
    assert after.chronic(KEY, now, weeks=4) is None  # it was five weeks ago
    feed(after, 8e6, now, MIN_HOUR_SAMPLES)
    feed(after, 8e6, now + HOUR, 1)
    later = now + WEEK
    assert after.chronic(KEY, later) == pytest.approx(7e6)
    again = restarted(after, now + HOUR + SECOND, later, store)
    assert again.chronic(KEY, later) == pytest.approx(7e6)


def test_a_week_saved_early_brings_no_hours_of_last_year_back() -> None:
    """The ring's slots of this week's hours to come still hold those of 53 weeks ago: they must not be saved as this week's."""
    store: dict[tuple[str, str], Saved] = {}
    baselines = Baselines(warmup_seconds=2)
    feed(baselines, 1e6, MONDAY + 50 * HOUR, MIN_HOUR_SAMPLES)
    feed(baselines, 1e6, MONDAY + 51 * HOUR, 1)
    baselines = restarted(baselines, MONDAY + 51 * HOUR + SECOND, MONDAY + 52 * WEEK, store)
    year = MONDAY + (LONG_CHRONIC_WEEKS + 1) * WEEK
    feed(baselines, 2e6, year, MIN_HOUR_SAMPLES)
    feed(baselines, 2e6, year + HOUR, 1)
    # Saved an hour into the week, then down until the week after.
    again = restarted(baselines, year + HOUR + SECOND, year + WEEK, store)
    assert again.chronic(KEY, year + WEEK) == pytest.approx(2e6)
    assert again.chronic(KEY, year + WEEK + 50 * HOUR) is None


def test_weeks_older_than_are_kept_and_weeks_ahead_of_the_clock_are_left_out() -> None:
    now = MONDAY + 60 * WEEK
    this_week = now // HOUR // 168
    name = "|".join(KEY)
    rows = [Saved("chronic", f"{name}|{week}", [1e6] * 168, now) for week in range(this_week - 55, this_week + 3)]
    baselines = Baselines(warmup_seconds=2)
    assert baselines.load(rows, now) == 53
    for hour in range(168):
        assert baselines.chronic(KEY, now + hour * HOUR, weeks=51) == pytest.approx(1e6)


@pytest.mark.parametrize(
    "row",
    [
        Saved("acute", "a|b", [1.0] * 170, 0),
        Saved("acute", "|".join(KEY), [1.0] * 169, 0),
        Saved("acute", "|".join(KEY), [1000.0, None, *[0.0] * 168], 0),
        Saved("acute", "|".join(KEY), [1000.0, math.nan, *[0.0] * 168], 0),
        Saved("acute", "|".join(KEY), [-3.0, 1.0, *[0.0] * 168], 0),
        Saved("acute", "|".join(KEY), ["x"] * 170, 0),  # type: ignore[list-item]
        Saved("chronic", "|".join(KEY) + "|x", [1.0] * 168, 0),
        Saved("chronic", "|".join(KEY) + "|-4", [1.0] * 168, 0),
        Saved("chronic", "|".join(KEY) + "|2", [1.0] * 3, 0),
        Saved("chronic", "|".join(KEY) + "|2", [[]] * 168, 0),  # type: ignore[list-item]
        Saved("regime", "|".join(KEY), [1.0] * 170, 0),
    ],
)
def test_rows_that_make_no_sense_are_left_out(row: Saved) -> None:
    baselines = Baselines(warmup_seconds=2)
    assert baselines.load([row], 3 * WEEK) == 0
    assert baselines.acute(KEY, 3 * WEEK) is None
    assert baselines.chronic(KEY, 3 * WEEK) is None
    assert list(baselines.dump(3 * WEEK)) == []


def test_what_was_dumped_once_is_not_dumped_again() -> None:
    """Acute series move each second; a closed hour is written once."""
    baselines = Baselines(warmup_seconds=2)
    feed(baselines, 1e6, MONDAY, MIN_HOUR_SAMPLES)
    feed(baselines, 1e6, MONDAY + HOUR, 1)
    kinds = [[row.kind for row in baselines.dump(MONDAY + HOUR + SECOND)] for _ in range(2)]
    assert kinds == [["acute", "chronic"], ["acute"]]


@dataclass
class Model:
    """The chronic baseline, written again over a dictionary hour -> mean."""

    hours: dict[int, Decimal]

    def chronic(self, hour: int, weeks: int) -> float | None:
        known = [self.hours[hour - 168 * k] for k in range(1, weeks + 1) if hour - 168 * k in self.hours]
        return float(sum(known) / len(known)) if known else None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.booleans(), st.integers(1, 50)), min_size=1, max_size=25)
)
def test_chronic_equals_its_twin_over_any_history(steps: list[tuple[int, bool, bool, int]]) -> None:
    """Hours seen long enough or too short, holes of up to two weeks, restarts in between."""
    store: dict[tuple[str, str], Saved] = {}
    baselines, model = Baselines(warmup_seconds=2), Model({})
    hour = MONDAY // HOUR
    for skip, whole, restart, million in steps:
        hour += skip
        usd = million * 1e6
        # One second in a thousand stands for the hour: the sum and the count are what is kept.
        baselines.observe([Observation(KEY, usd)], hour * HOUR)
        row = baselines._rows[KEY]
        baselines._hour_count[row] = MIN_HOUR_SAMPLES if whole else MIN_HOUR_SAMPLES - 1
        baselines._hour_sum[row] = usd * int(baselines._hour_count[row])
        baselines.observe([], (hour + 1) * HOUR)
        if whole:
            model.hours[hour] = Decimal(million) * 10**6
        hour += 1
        if restart:
            baselines = restarted(baselines, hour * HOUR + 60 * SECOND, hour * HOUR + 70 * SECOND, store)
            baselines.observe([], hour * HOUR + 80 * SECOND)
        else:
            for saved in baselines.dump(hour * HOUR + 60 * SECOND):
                store[saved.kind, saved.key] = saved
    for ahead in range(0, 168, 7):
        for weeks in (1, 12, 52):
            want = model.chronic(hour + ahead, weeks)
            got = baselines.chronic(KEY, (hour + ahead) * HOUR, weeks)
            assert got == (None if want is None else pytest.approx(want, rel=1e-6))
