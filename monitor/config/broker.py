"""The [mqtt] section as the publisher's options: one mapping for the service, `watch` and the check at load."""

from __future__ import annotations

from monitor.alerts.broker import BrokerOptions
from monitor.config.model import Settings


def broker_of(settings: Settings) -> BrokerOptions:
    """The configured broker, or the embedded one of a service on this machine. Raises SettingsError for contradictions."""
    mqtt = settings.mqtt
    return BrokerOptions.from_settings(
        mqtt.url or f"mqtt://{mqtt.embedded_listen}",
        settings.instance.name,
        username=mqtt.username,
        password_file=mqtt.password_file,
        ca_file=mqtt.ca_file,
        client_cert=mqtt.client_cert,
        client_key=mqtt.client_key,
        allow_plaintext=mqtt.allow_plaintext,
        prefix=mqtt.topic_prefix,
    )
