"""The simulated venues of the demo, in a process of their own: the service's figures then say what the service costs.

`python -m monitor.cli.demo_venues '{"scenario": ..., "seed": ..., "speed": ...}'` writes one line of JSON (settings, control) when it
listens, and lives until its standard input ends: when the demo dies, however it dies, so does this.
"""

from __future__ import annotations

import asyncio
import json
import sys

from monitor import logs
from monitor.cli.app import complain, first_known
from monitor.cli.loop import run_loop
from monitor.cli.simulated import Simulated, scenario_venues, settings_text


async def serve(venues: Simulated) -> None:
    loop = asyncio.get_running_loop()
    orphaned = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), orphaned.set)  # nobody writes: readable means the end
    async with venues.host:
        sys.stdout.write(json.dumps({"settings": settings_text(venues), "control": venues.control}) + "\n")
        sys.stdout.flush()
        driving = asyncio.ensure_future(venues.host.wait())
        waiting = asyncio.ensure_future(orphaned.wait())
        await asyncio.wait((driving, waiting), return_when=asyncio.FIRST_COMPLETED)
        driving.cancel()
        waiting.cancel()
    loop.remove_reader(sys.stdin.fileno())


def main() -> int:
    logs.configure(level="warning")
    order = json.loads(sys.argv[1])
    try:
        chosen = {name: order.get(name) for name in ("venues", "assets")}
        run_loop(serve(scenario_venues(order["scenario"], order["seed"], order["speed"], "127.0.0.1", **chosen)))
    except Exception as error:
        known = first_known(error)
        if known is None:
            raise
        return complain(*known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
