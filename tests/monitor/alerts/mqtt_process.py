"""Run as a process of its own: a publisher against a broker until it is killed. Arguments: port, state file, ALERT?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from alert_rig import quick
from alert_views import at

from monitor.alerts.delivery import Delivery
from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.mqtt import MqttPublisher
from monitor.alerts.outbox import Outbox
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.rules.base import LiquidationContext
from monitor.alerts.settings import AlertsSettings
from monitor.alerts.topics import Topics
from monitor.clock import Clock
from monitor.state import StateStore


async def main(port: str, path: str, alert: str) -> None:
    options = quick(int(port))
    topics = Topics(options.prefix, options.instance)
    outbox, board = Outbox(StateStore.open(Path(path)), topics), RetainedBoard()
    engine = AlertEngine(AlertsSettings(), options.instance)
    rows = outbox.load()
    engine.restore(rows, at(1))
    publisher = MqttPublisher(options, topics, outbox, board, Clock())
    delivery = Delivery(topics, outbox, board, publisher)
    delivery.restored(rows)
    if alert:
        context = LiquidationContext("v", "m", "complete")
        delivery.transitions(engine.on_liquidation(alert, "long", 6e6, at(0), context))
    await publisher.run()


asyncio.run(main(*sys.argv[1:4]))
