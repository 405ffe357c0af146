"""`undertow run`."""

from __future__ import annotations

from monitor.cli.options import ConfigFiles, LogFormat, LogLevel

EXAMPLES = (
    ("undertow run -c configs/default.toml", "Live venues with the settings that come along"),
    ("undertow run -c base.toml -c desk.toml --log-format json", "Two files, the later one wins; logs for a collector"),
    (
        "UNDERTOW__VENUES__OKX_SWAP__SYMBOLS=BTC-USDT-SWAP undertow run",
        "Settings from the environment alone",
    ),
)


def run(config: ConfigFiles = None, log_format: LogFormat = "console", log_level: LogLevel = "info") -> None:
    """The live service, until SIGTERM or Ctrl-C. Ends with 0 after a clean stop."""
    import structlog

    from monitor import logs
    from monitor.cli.loading import loading
    from monitor.cli.loop import run_loop, stoppable
    from monitor.cli.settings import need_venues
    from monitor.config import load_settings

    settings = load_settings(config or ())
    need_venues(settings)
    logs.configure(log_format, log_level)
    log = structlog.get_logger("undertow")
    log.info("starting", instance=settings.instance.name, settings=[str(path) for path in config or ()])
    with stoppable():
        with loading(log.info):
            from monitor.service.service import Service
        run_loop(Service(settings).run())
