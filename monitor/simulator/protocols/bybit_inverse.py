"""Bybit inverse as a client meets it: linear's manners on a socket of its own."""

from __future__ import annotations

from typing import ClassVar

from monitor.simulator.protocols.bybit_linear import BybitFront


class BybitInverseFront(BybitFront):
    venue = "bybit_inverse"
    category: ClassVar[str] = "inverse"
