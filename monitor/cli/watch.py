"""`undertow watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.options import AsJson, ConfigFiles, LogFormat, LogLevel

URL_VARIABLE = "UNDERTOW__MQTT__URL"
EXAMPLES = (
    ("undertow watch", "The embedded broker on this machine"),
    ("undertow watch --url mqtt://broker:1883", "A broker that asks for no password"),
    ("undertow watch -c desk.toml", "The broker of a settings file, with its user, password file and certificates"),
    ("undertow watch --json | jq 'select(.payload.severity == \"critical\")'", "Every message as one line of JSON"),
)


def watch(
    url: Annotated[
        str | None,
        typer.Option(metavar="mqtt://HOST:PORT", help="The broker; else mqtt.url, else mqtt.embedded_listen."),
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
    log_format: LogFormat = "console",
    log_level: LogLevel = "warning",
) -> None:
    """Subscribe, and show open alerts and regimes as a live table; transitions as lines above it.

    Repeated deliveries are dropped by id and sequence; a broker that goes away is waited for. Elsewhere than on a terminal only the lines
    are printed.
    """
    import os

    from monitor import logs
    from monitor.cli.loop import run_loop, stoppable
    from monitor.config import load_settings
    from monitor.errors import SettingsError

    if url is None:
        settings = load_settings(config or ())
    else:
        try:
            settings = load_settings(config or (), {**os.environ, URL_VARIABLE: url})
        except SettingsError as error:
            raise SettingsError(str(error).replace(f"{URL_VARIABLE}: mqtt.url", "--url")) from None
    logs.configure(log_format, log_level)
    with stoppable():
        from monitor.cli.watch_run import run_watch
        from monitor.config.broker import broker_of

        run_loop(run_watch(broker_of(settings), as_json=as_json))
