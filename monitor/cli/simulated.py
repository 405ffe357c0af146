"""The simulated venues of `simulate` and `demo`: which there are, where they listen, and the settings that point at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.capture.source import open_source
from monitor.cli.addresses import reachable
from monitor.cli.names import need_known
from monitor.simulator.protocols.registry import PROTOCOLS, USUAL
from monitor.simulator.service import SimulatedVenues, VenueHost, venue_settings
from monitor.simulator.specs import ASSETS, USUAL_ASSETS


@dataclass(frozen=True, slots=True)
class Simulated:
    host: VenueHost
    symbols: Mapping[str, Sequence[str]]

    @property
    def origins(self) -> dict[str, dict[str, str]]:
        """What a client on this machine can connect to."""
        return {venue: {k: reachable(v) for k, v in origin.items()} for venue, origin in self.host.origins.items()}

    @property
    def control(self) -> str:
        return reachable(self.host.control_origin)


def scenario_venues(
    scenario: str,
    seed: int,
    speed: float,
    host: str,
    first_port: int = 0,
    *,
    venues: str | None = None,
    assets: str | None = None,
) -> Simulated:
    """Venues living through a scenario. `venues`, `assets`: names with commas, `all`, or None: the usual ones; venues that were
    named come with all their markets.

    Raises:
        SettingsError: no such scenario, venue or asset.
    """
    names = chosen("--venues", venues, PROTOCOLS, USUAL)
    ports, control = _ports(names, first_port)
    host_of_all = SimulatedVenues(
        scenario,
        seed,
        speed,
        host,
        venues=names,
        assets=chosen("--assets", assets, ASSETS, USUAL_ASSETS if venues is None else tuple(ASSETS)),
        ports=ports,
        control_port=control,
    )
    return Simulated(host_of_all, host_of_all.symbols)


def chosen(option: str, given: str | None, known: Iterable[str], usual: Sequence[str]) -> tuple[str, ...]:
    """What an option with a list of names means. Raises SettingsError."""
    if given is None:
        return tuple(usual)
    names = list(known)
    if given == "all":
        return tuple(names)
    wanted = list(dict.fromkeys(name.strip() for name in given.split(",")))
    for name in wanted:
        need_known(option, name, [*names, "all"])
    return tuple(wanted)


def recorded_venues(paths: Sequence[Path], speed: float, host: str, first_port: int = 0) -> Simulated:
    """Venues that play recordings. Raises RecordingError."""
    source = open_source(paths, speed=speed)
    ports, control = _ports(source.venues, first_port)
    venues = VenueHost(source, source.venues, host=host, ports=ports, control_port=control)
    return Simulated(venues, {venue: [i.symbol for i in listed] for venue, listed in source.instruments.items()})


def settings_text(venues: Simulated) -> str:
    """TOML with a [venues.NAME] section each."""
    return "# Simulated venues.\n\n" + venue_settings(venues.origins, venues.symbols)


def _ports(venues: Sequence[str], first: int) -> tuple[dict[str, int], int]:
    """A port a venue and the control port, from `first` on; 0: free ones."""
    return ({venue: first + n for n, venue in enumerate(venues)}, first + len(venues)) if first else ({}, 0)
