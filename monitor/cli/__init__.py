"""The command line. Every command imports what it needs when it runs, so that `undertow --help` answers at once."""

from __future__ import annotations

from monitor.cli.app import main

__all__ = ["main"]
