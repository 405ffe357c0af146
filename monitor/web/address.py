"""The address to listen on: what `http.listen` says, and what to answer when it cannot be had."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from monitor.errors import SettingsError

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what a browser on this machine has to ask instead


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        return f"http://{Address(WILDCARDS.get(self.host, self.host), self.port)}/"


def parse_listen(listen: str) -> Address:
    """`host:port`, `[ipv6]:port`; port 0 takes a free one. Raises SettingsError."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise SettingsError(f'http.listen = "{listen}": write an IPv6 address in brackets, as in "[::1]:9464"')
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise SettingsError(f'http.listen = "{listen}" is not host:port; write for example "127.0.0.1:9464"')
    return Address(host, int(port))


def listen_error(address: Address, error: OSError) -> SettingsError:
    """One line that names the address and says what to do."""
    if error.errno == errno.EADDRINUSE:
        what = "the port is in use; stop what listens there or set http.listen to a free port"
    elif error.errno == errno.EACCES:
        what = "not allowed to listen there; set http.listen to a port above 1023"
    elif error.errno == errno.EADDRNOTAVAIL:
        what = "this machine does not have that address; set http.listen to one it has, such as 127.0.0.1"
    elif isinstance(error, socket.gaierror):
        what = "the host name is not known; set http.listen to an address of this machine"
    else:
        what = f"cannot listen there ({error.strerror or error}); set http.listen to another address"
    return SettingsError(f"http.listen {address}: {what}")
