"""What survives a restart besides alerts: baselines, regimes, and what the alert rules remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, get_args

from monitor.alerts.evaluator import AlertEngine
from monitor.baselines import LONG_CHRONIC_WEEKS, Saved
from monitor.clock import SECOND
from monitor.hub import Hub
from monitor.state import StateStore
from monitor.views import Regime

CHRONIC_KEPT: Final = (LONG_CHRONIC_WEEKS + 1) * 7 * 86_400 * SECOND  # older weeks are never read again
MODEL: Final = "liquidation"
REGIMES: Final = get_args(Regime)
SAVE_SECONDS: Final = 300.0  # kill -9 loses this much of the baselines' slow movement, nothing else


def save(hub: Hub, alerts: AlertEngine, store: StateStore, at: int) -> None:
    """Hand everything to the store's writer thread, at once."""
    save_rules(hub, alerts, store, at)
    for name in hub.assets:
        save_model(hub, name, store, at)


def save_rules(hub: Hub, alerts: AlertEngine, store: StateStore, at: int) -> None:
    """All but the liquidation models: here only arrays are copied, rows are made over there."""
    store.put_rows(hub.baselines.dump(at))
    for asset in hub.assets.values():
        if asset.regime.regime is not None:
            store.put("regime", asset.name, [asset.regime.regime, asset.regime.since], at)
    for kind, memory in alerts.memory().items():
        store.put("rule", kind, memory, at)


def save_model(hub: Hub, asset: str, store: StateStore, at: int) -> None:
    """One asset's liquidation model: its maps are copied here (a tenth of a millisecond each) and packed in the writer thread."""
    if asset in hub.assets:
        store.put_rows(_model_rows(asset, hub.assets[asset].model.dump(), at))


def _model_rows(asset: str, saved: Callable[[], object], at: int) -> Iterator[tuple[str, str, object, int]]:
    """Made in the writer thread."""
    yield MODEL, asset, saved(), at


def restore(hub: Hub, alerts: AlertEngine, store: StateStore, at: int) -> int:
    """Take back what `save` gave; gives the number of series. Blocks: before the loop runs."""
    rows = [
        Saved(kind, key, values, saved_at)
        for kind in ("acute", "chronic")
        for key, (values, saved_at) in store.all(kind).items()
        if isinstance(values, list)
    ]
    taken = hub.baselines.load(rows, at)
    store.remove_older("chronic", at - CHRONIC_KEPT)
    for asset, (value, _) in store.all("regime").items():
        if isinstance(value, list) and len(value) == 2 and value[0] in REGIMES and isinstance(value[1], int):
            hub.regimes_before[asset] = (value[0], value[1])
    hub.models_before = {name: value for name, (value, _) in store.all(MODEL).items()}
    memories = {kind: value for kind, (value, _) in store.all("rule").items() if isinstance(value, Mapping)}
    alerts.remember(memories)
    return taken
