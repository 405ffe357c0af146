"""Import everything, run the whole service on simulated venues, replay what it recorded; print what was compiled, and when.

python service_process.py FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop
from numba.core import event

import engines
import monitor


class Compiled(event.Listener):
    """Counts compilations; loads from the cache are none."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, event: object) -> None:
        self.count += 1

    def on_end(self, event: object) -> None:
        pass


async def run(folder: Path) -> int:
    from monitor.config import load_settings
    from monitor.service.service import Service
    from monitor.simulator.service import SimulatedVenues, settings_toml
    from monitor.views import ServiceView

    async with SimulatedVenues("cascade", seed=3, speed=4) as venues:
        file = folder / "settings.toml"
        file.write_text(settings_toml(venues))
        settings = load_settings(
            (file,),
            {
                "UNDERTOW__HTTP__LISTEN": "127.0.0.1:0",
                "UNDERTOW__MQTT__EMBEDDED_LISTEN": "127.0.0.1:0",
                "UNDERTOW__STATE__PATH": str(folder / "state" / "undertow.sqlite"),
                "UNDERTOW__RECORDING__ENABLED": "true",
                "UNDERTOW__RECORDING__DIRECTORY": str(folder / "captures"),
            },
        )
        seconds = 0
        verified = 0

        def on_second(view: ServiceView) -> None:
            nonlocal seconds, verified
            verified = sum(market.verified for market in view.markets)
            seconds += verified == 6
            if seconds == 3:
                service.stop()

        service = Service(settings, on_second=on_second)
        async with asyncio.timeout(60):
            await service.run()
        return verified


def main() -> None:
    folder = Path(sys.argv[1])
    compiled = Compiled()
    event.register("numba:compile", compiled)
    from monitor.warm import import_all

    import_all(engines)
    import_all(monitor)
    said = {"importing": compiled.count}
    said["verified"] = uvloop.run(run(folder))
    said["running"] = compiled.count - said["importing"]

    from monitor.capture.replay import replay
    from monitor.config import load_settings

    report = replay([folder / "captures"], load_settings((), {}), digest=True)
    said["replaying"] = compiled.count - said["importing"] - said["running"]
    said["frames"] = report.frames
    print(json.dumps(said))


if __name__ == "__main__":
    main()
