"""Run as a process of its own by the kill -9 test: appends transitions and prints each (id, sequence) once it is committed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from alert_views import at, service

from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.outbox import Outbox
from monitor.alerts.rules.base import LiquidationContext
from monitor.alerts.settings import AlertsSettings
from monitor.alerts.topics import Topics
from monitor.state import StateStore


async def main(path: str) -> None:
    store = StateStore.open(Path(path))
    outbox = Outbox(store, Topics("undertow/v1", "test-1"))
    engine = AlertEngine(AlertsSettings(), "test-1")
    engine.restore(outbox.load(), at(0))
    outbox.bind(asyncio.get_running_loop())
    number = 0
    while True:
        number += 1
        name = f"A{number}"
        context = LiquidationContext("v", "m", "complete")
        engine.on_second(service(number, assets=(), markets=(), venues=()), at(number))
        for transition in engine.on_liquidation(name, "long", 6e6, at(number), context):
            outbox.append(transition)
            await asyncio.wrap_future(store.query(lambda c: None))
            print(transition.payload.id, transition.payload.sequence, flush=True)


asyncio.run(main(sys.argv[1]))
