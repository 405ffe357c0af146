"""`undertow demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.options import LogFormat, LogLevel, SimulatedAssets, SimulatedVenues, Speed

EXAMPLES = (
    ("undertow demo", "Longs pile up, a sale hits them, a cascade follows; Ctrl-C ends it"),
    ("undertow demo --scenario vacuum --seconds 90", "Bids are withdrawn; a minute and a half of it"),
    ("undertow demo --scenario outage --speed 2", "A venue goes away, at twice the pace"),
)


def demo(
    scenario: Annotated[
        str, typer.Option(metavar="NAME", help="What happens: calm, slow_bleed, vacuum, ...")
    ] = "cascade",
    speed: Speed = 1.0,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="End after so long; else on Ctrl-C.")
    ] = None,
    venues: SimulatedVenues = None,
    assets: SimulatedAssets = None,
    seed: Annotated[int, typer.Option(help="Of the scenario's random numbers.")] = 1,
    log_format: LogFormat = "console",
    log_level: LogLevel = "warning",
) -> None:
    """The whole service on simulated venues with a broker of its own; alerts are printed as they come.

    Nothing is kept: the state lives in a temporary folder, the configured broker and `state.path` are left alone. Ports that are
    taken are replaced by free ones.
    """
    from monitor import logs
    from monitor.cli.loop import run_loop, stoppable
    from monitor.cli.names import need_known
    from monitor.simulator.scenarios import SCENARIOS

    need_known("--scenario", scenario, SCENARIOS)
    logs.configure(log_format, log_level)
    with stoppable():
        from monitor.cli.demo_run import DemoOrder, run_demo

        run_loop(run_demo(DemoOrder(scenario, speed, seconds, seed, venues, assets)))
