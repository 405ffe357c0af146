"""OKX spot as a client meets it: the manners of the swaps, on the same public socket."""

from __future__ import annotations

from monitor.simulator.protocols.okx_swap import OkxFront


class OkxSpotFront(OkxFront):
    venue = "okx_spot"
