"""Addresses as somebody on this machine has to write them."""

from __future__ import annotations


def reachable(address: str) -> str:
    """A server that listens everywhere is found on loopback."""
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
