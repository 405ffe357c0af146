"""Was our session taken over? Brokers should say so (reason 142); Mosquitto before 2.0.15 just closes the connection.

After such a bare close the broker is asked before we come back under our name: if our availability topic says `online` with
another run's mark, another Undertow uses our instance name, and coming back would throw it out.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import aiomqtt

from monitor.alerts.broker import BrokerOptions
from monitor.alerts.client import RUN_PROPERTY, CheckedClient
from monitor.alerts.topics import Address

LISTEN_SECONDS: Final = 0.75  # the other one says `online` within a round trip or two of its connect


async def another_runs(
    options: BrokerOptions, password: str | None, tls_context: Any, address: Address, run: str
) -> bool:
    """Whether a run other than `run` is online at `address`. A broker that does not let us look counts as no."""
    probe = CheckedClient(options, password, tls_context, None, run, f"{options.client_id}-probe-{run[-6:]}")
    found = False
    try:
        await probe.open()
        await probe.subscribe(address.topic, qos=1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                async for message in probe.messages:
                    mark = dict(getattr(message.properties, "UserProperty", ())).get(RUN_PROPERTY)
                    found = message.payload == b"online" and mark is not None and mark != run
                    if found:
                        break
    except (aiomqtt.MqttError, OSError):
        return False
    finally:
        probe.abandon()
    return found
