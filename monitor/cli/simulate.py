"""`undertow simulate`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import LogFormat, LogLevel, SimulatedAssets, SimulatedVenues, Speed

if TYPE_CHECKING:
    from monitor.cli.simulated import Simulated

MAX_FIRST_PORT = 65_500  # leaves room for a port a venue and the control port

EXAMPLES = (
    ("undertow simulate --scenario cascade --write-config sim.toml", "Three venues on loopback, and the settings that point at them"),
    ("undertow simulate --scenario calm --venues bybit_linear,okx_swap --assets all", "Some venues, with every market they simulate"),
    ("undertow run -c sim.toml", "The service on them, in another terminal"),
    ("undertow simulate --recording captures/ --listen 127.0.0.1:9700", "A recording, served over the venues' protocols; ports from 9700 on"),
    ("""curl -X POST localhost:PORT/faults -d '{"kind": "gap", "venue": "okx_swap", "count": 1}'""", "Misbehave on command; GET lists the kinds"),
)  # fmt: skip


def simulate(
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="What happens: calm, slow_bleed, cascade, ...")
    ] = None,
    recording: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Serve recordings (files or folders) instead.")
    ] = None,
    listen: Annotated[
        str,
        typer.Option(metavar="HOST[:PORT]", help="Each venue takes a port of its own: from PORT on, else free ones."),
    ] = "127.0.0.1",
    write_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the settings that point at the simulated venues.")
    ] = None,
    venues: SimulatedVenues = None,
    assets: SimulatedAssets = None,
    seed: Annotated[int, typer.Option(help="Of the scenario's random numbers.")] = 1,
    speed: Speed = 1.0,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """The simulated venues alone: they speak the real protocols, until SIGTERM or Ctrl-C."""
    if (scenario is None) == (recording is None):
        raise typer.BadParameter("give one of --scenario NAME and --recording FILE")
    if recording is not None and (venues is not None or assets is not None):
        raise typer.BadParameter("--venues and --assets choose from a scenario; a recording has its own")
    from monitor import logs
    from monitor.cli.loop import run_loop, stoppable

    host, port = split_listen(listen)
    logs.configure(log_format, log_level)
    with stoppable():
        from monitor.cli.simulated import recorded_venues, scenario_venues

        if scenario is not None:
            simulated = scenario_venues(scenario, seed, speed, host, port, venues=venues, assets=assets)
        else:
            simulated = recorded_venues(recording or [], speed, host, port)
        run_loop(_serve(simulated, write_config))


def split_listen(listen: str) -> tuple[str, int]:
    """Host and first port of "127.0.0.1" or "127.0.0.1:9700"; port 0: free ones."""
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?", listen)
    if match is None or int(match[2] or 0) > MAX_FIRST_PORT:
        raise typer.BadParameter(f"a host, or host:port with a port up to {MAX_FIRST_PORT}", param_hint="--listen")
    return match[1], int(match[2] or 0)


async def _serve(venues: Simulated, write_config: Path | None) -> None:
    import asyncio

    from monitor.cli.console import line, out
    from monitor.cli.loop import stop_event
    from monitor.cli.simulated import settings_text

    stopping = stop_event()
    async with venues.host:
        console = out()
        for name, origin in venues.origins.items():
            line(console, f"{name:<14} {origin['ws_origin']}  {origin['rest_origin']}")
        line(console, f"{'faults':<14} {venues.control}/faults")
        if write_config is not None:
            write_text(write_config, settings_text(venues))
            line(console, f"{'settings':<14} {write_config}")
        ended = asyncio.ensure_future(venues.host.wait())
        asked = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if ended.done():
            ended.result()
        ended.cancel()


def write_text(path: Path, text: str) -> None:
    """All of it or nothing: whoever waits for the file never reads half of it."""
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
