"""How to reach a broker, and what can go wrong with it, in words of a closed set."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from monitor.errors import SettingsError

DEFAULT_PREFIX: Final = "undertow/v1"


class BrokerFault(StrEnum):
    """Labels of `mqtt_publish_failures_total`: publishes that were not acknowledged, and connections that did not come about."""

    UNREACHABLE = "unreachable"  # no TCP connection
    TLS = "tls"  # handshake or certificate
    BAD_CREDENTIALS = "bad_credentials"  # CONNACK: user, password or certificate refused
    CONNECT_REFUSED = "connect_refused"  # CONNACK: anything else
    UNSUPPORTED = "unsupported"  # the broker lacks MQTT 5, retained messages or QoS 1
    NOT_AUTHORIZED = "not_authorized"  # PUBACK: the ACL refuses the topic
    REFUSED = "refused"  # PUBACK: anything else
    TOO_LARGE = "too_large"  # beyond the broker's maximum packet size
    TIMEOUT = "timeout"  # no answer in time
    DISCONNECTED = "disconnected"  # the connection broke
    SESSION_TAKEN_OVER = "session_taken_over"  # another client came with our client id
    CLOSED_AGAIN = "closed_again"  # the broker closes every connection without a word
    LOCAL = "local"  # a password or certificate file of ours cannot be read, or the state file cannot
    DROPPED_PRINT = "dropped_print"  # a liquidation print (QoS 0) that found no room


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """One broker. Made by `from_settings`, or by the embedded broker for itself.

    password_file is read at every connect, so that a rotated password needs no restart.
    """

    host: str
    port: int
    instance: str
    tls: bool = False
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    prefix: str = DEFAULT_PREFIX
    keepalive_seconds: int = 15
    connect_timeout_seconds: float = 3.0
    publish_timeout_seconds: float = 3.0
    backoff_first_seconds: float = 0.25
    backoff_ceiling_seconds: float = 10.0  # a broker that is away: the first alert after its return waits no longer
    refusal_backoff_ceiling_seconds: float = 30.0  # a broker that says no is asked less often
    refused_retry_seconds: float = 30.0  # rows the ACL refused are tried again this often, and after each connect

    @property
    def client_id(self) -> str:
        return f"undertow-{self.instance}"

    @property
    def address(self) -> str:
        """For people; holds no secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @classmethod
    def from_settings(
        cls,
        url: str,
        instance: str,
        *,
        username: str | None = None,
        password_file: Path | None = None,
        ca_file: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
        allow_plaintext: bool = False,
        prefix: str = DEFAULT_PREFIX,
    ) -> BrokerOptions:
        """Options of the [mqtt] section.

        Raises:
            SettingsError: a URL that is none, a password in clear to another machine, or TLS files without TLS.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("mqtt", "mqtts") or not host or parts.path not in ("", "/") or parts.query:
            raise SettingsError("mqtt.url: an address such as mqtt://host:1883 or mqtts://host:8883 is needed")
        if parts.username is not None or parts.password is not None:
            raise SettingsError("mqtt.url: holds a user or password; set mqtt.username and mqtt.password_file instead")
        tls = parts.scheme == "mqtts"
        if not tls and (ca_file or client_cert or client_key):
            raise SettingsError("mqtt.ca_file, client_cert and client_key need an mqtts:// url")
        if (client_cert is None) != (client_key is None):
            raise SettingsError("mqtt.client_cert and mqtt.client_key are needed together")
        if password_file is not None and username is None:
            raise SettingsError("mqtt.password_file needs mqtt.username")
        if password_file is not None and not tls and not allow_plaintext and not is_loopback(host):
            raise SettingsError(
                f"mqtt.url: the password would go in clear to {host}; use mqtts://, or set mqtt.allow_plaintext = true"
            )
        return cls(
            host, port or (8883 if tls else 1883), instance, tls, username, password_file, ca_file, client_cert,
            client_key, prefix,
        )  # fmt: skip

    def read_password(self) -> str | None:
        """First line of the password file. Raises OSError, UnicodeDecodeError."""
        if self.password_file is None:
            return None
        text = self.password_file.read_text(encoding="utf-8")
        return text.splitlines()[0] if text else ""

    def tls_context(self) -> ssl.SSLContext | None:
        """TLS 1.2 or later, host name checked. Raises OSError, ssl.SSLError."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        context.sslsocket_class = _ClosingSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_cert is not None:
            context.load_cert_chain(str(self.client_cert), str(self.client_key))
        return context


class _ClosingSocket(ssl.SSLSocket):
    """paho leaves the socket of a failed handshake open, one descriptor an attempt."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
