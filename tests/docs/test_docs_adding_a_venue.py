"""docs/adding-a-venue.md: its blocks are run, and the venue they make is held to what every venue is held to."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from docs_pages import ROOT, blocks

from engines.wire.layout import HEADER_SIZE, MAX_LEVELS, MAX_TRADES, TRADE_SIZE
from engines.wire.plain import plain_book, plain_trades
from engines.wire.scale import Scale
from monitor import rehearsal
from monitor.facts import Channel
from monitor.rehearsal import EPOCH
from monitor.simulator import scenario_source
from monitor.simulator.market import Market
from monitor.simulator.protocols import registry
from monitor.simulator.scenarios import scenario
from monitor.venues.base import Venue
from monitor.venues.registry import VENUES

PAGE = ROOT / "docs" / "adding-a-venue.md"
NAME = "tide_linear"
CONFORMANCE = ROOT / "tests" / "monitor" / "venues"
MODULE_LINES = 300
SIMULATED_MS = 60_000  # of the cascade: by then longs are liquidated


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


@pytest.fixture(scope="module")
def built() -> Iterator[dict[str, ModuleType]]:
    """Every Python block of the page as the module its label says, by that label, in the page's order."""
    made: dict[str, ModuleType] = {}
    try:
        for block in blocks(PAGE):
            if block.language != "python":
                continue
            module = ModuleType(module_name(block.label))
            module.__file__ = str(ROOT / block.label)
            sys.modules[module.__name__] = module
            made[block.label] = module
            exec(compile(block.body, f"{PAGE.name}: {block.label}", "exec", dont_inherit=True), module.__dict__)
        yield made
    finally:
        for module in made.values():
            sys.modules.pop(module.__name__, None)


@pytest.fixture
def tide(built: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Venue:
    """The example venue, registered."""
    venue: Venue = built["monitor/venues/tide_linear.py"].TideLinear()
    monkeypatch.setitem(VENUES, NAME, venue)
    return venue


def test_the_page_shows_all_parts(built: dict[str, ModuleType]) -> None:
    assert [Path(label).name for label in built] == [
        "tide_linear.py",
        "tide_linear.py",
        "test_venue_tide_linear.py",
        "tide_linear.py",
    ]
    for label in built:
        assert not (ROOT / label).exists(), "the example is no part of the package"


def test_the_module_is_as_small_as_the_page_demands() -> None:
    for block in blocks(PAGE):
        assert len(block.body.splitlines()) < MODULE_LINES


def test_the_page_s_own_test_passes(built: dict[str, ModuleType]) -> None:
    module = built["tests/monitor/venues/test_venue_tide_linear.py"]
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def conformance_calls(module: ModuleType) -> Iterator[tuple[Callable[..., None], dict[str, object]]]:
    """Each conformance test that takes a venue, with every value of its other parameter."""
    for name, test in vars(module).items():
        if not name.startswith("test_") or "venue" not in inspect.signature(test).parameters:
            continue
        marks = [mark for mark in test.pytestmark if mark.name == "parametrize" and mark.args[0] != "venue"]
        if not marks:
            yield test, {}
        for mark in marks:
            for value in mark.args[1]:
                yield test, {mark.args[0]: value}


def test_the_example_passes_the_conformance_tests(
    tide: Venue, built: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(CONFORMANCE))
    import test_venue_conformance as conformance
    import venue_forms

    forms = built["tests/monitor/venues/forms/tide_linear.py"]
    monkeypatch.setitem(venue_forms.FORMS, NAME, forms)  # type: ignore[arg-type]
    calls = list(conformance_calls(conformance))
    assert len(calls) > 20
    for test, further in calls:
        test(venue=tide, **further)


@pytest.fixture
def simulated(tide: Venue, built: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Venue:
    """The example venue, with its simulated side in the simulator's tables."""
    module = built["monitor/simulator/protocols/tide_linear.py"]
    side = registry.SimulatedVenue(module.TideFront, module.TideFrames, module.MARKETS)
    monkeypatch.setitem(registry.PROTOCOLS, NAME, side)
    monkeypatch.setattr(rehearsal, "SIMULATED", (NAME,))
    return tide


def test_its_simulated_side_brings_verified_books_through_the_hub(simulated: Venue) -> None:
    seen = rehearsal.rehearse(2)
    assert (seen.verified, seen.markets) == (2, 2)
    assert seen.frames > 20


def test_the_module_reads_every_frame_of_its_simulated_side(simulated: Venue) -> None:
    source = scenario_source.ScenarioSource(scenario("cascade"), seed=1, epoch_ns=EPOCH, venues=(NAME,))
    scales = {symbol: Scale(m.spec.price_text.grid, m.spec.size_text.grid) for symbol, m in markets_of(source).items()}
    header, levels = np.zeros(HEADER_SIZE, np.int64), np.zeros((2, MAX_LEVELS, 2), np.int64)
    trades = np.zeros((MAX_TRADES, TRADE_SIZE), np.int64)
    seen: Counter[Channel] = Counter()
    while source.world.now_ms < SIMULATED_MS:
        for frame in source.step():
            key = simulated.frame_key(frame.data)
            assert key is not None
            topic = simulated.topic(key.decode())
            assert topic is not None
            (symbol,) = topic.symbols
            seen[topic.channel] += 1
            if topic.book is not None:
                plain_book(topic.book, scales[symbol], symbol, frame.data, header, levels)
            elif topic.trades is not None:
                assert plain_trades(topic.trades, scales[symbol], symbol, frame.data, trades) > 0
            else:
                assert simulated.parse(topic, frame.data)
    assert set(seen) == {Channel.BOOK, Channel.TRADES, Channel.TICKER, Channel.LIQUIDATIONS}


def markets_of(source: scenario_source.ScenarioSource) -> dict[str, Market]:
    return source.writers[NAME].markets
