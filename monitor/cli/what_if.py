"""`undertow what-if`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import AsJson, LogFormat, LogLevel

if TYPE_CHECKING:
    from monitor.what_if import Side

DEFAULT_URL = "http://127.0.0.1:9464"
TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 1_048_576

EXAMPLES = (
    ("undertow what-if --asset BTC --sell 500", "500 bitcoin at the market, asked of the service on this machine"),
    ("undertow what-if --asset BTC --buy 50e6 --usd --url http://desk:9464", "A purchase in US dollars; shorts are squeezed"),
    ("undertow what-if --curves book.json --sell 800 --json | jq .ignition", "On curves from a file, without a service"),
)  # fmt: skip


def what_if(
    asset: Annotated[str | None, typer.Option(metavar="NAME", help="An asset a running service follows.")] = None,
    curves: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON with price_usd, absorption and liquidations instead.")
    ] = None,
    sell: Annotated[float | None, typer.Option(metavar="N", help="Coins sold at the market.")] = None,
    buy: Annotated[float | None, typer.Option(metavar="N", help="Coins bought at the market.")] = None,
    usd: Annotated[
        bool, typer.Option("--usd", help="N is US dollars: what the trade brings or costs in the books alone.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(metavar="http://HOST:PORT", help=f"The service to ask; else {DEFAULT_URL}.")
    ] = None,
    as_json: AsJson = False,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """What one sale or purchase would do: where the price lands, what it forces, and the size that runs away.

    Three answers, for half, all and twice the estimated leveraged positions, because their size is the least certain.
    """
    if (asset is None) == (curves is None):
        raise typer.BadParameter("give one of --asset NAME and --curves FILE")
    if (sell is None) == (buy is None):
        raise typer.BadParameter("give one of --sell N and --buy N")
    if curves is not None and url is not None:
        raise typer.BadParameter("--url is the service of --asset; curves need none")
    side: Side = "sell" if sell is not None else "buy"
    amount = sell if sell is not None else buy
    assert amount is not None
    if not 0.0 < amount < math.inf:
        raise typer.BadParameter("a positive number", param_hint=f"--{side}")
    from monitor.cli.console import print_json

    if asset is not None:
        found = _ask(url or DEFAULT_URL, asset, f"{side}_{'usd' if usd else 'base'}", amount)
    else:
        assert curves is not None
        found = _compute(curves, side, amount, usd)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _compute(path: Path, side: Side, amount: float, in_usd: bool) -> dict[str, Any]:
    from monitor.cli.loading import loading

    with loading():
        from monitor.curve_file import read_curves
        from monitor.what_if import answer
    read = read_curves(path, upward=side == "buy")
    return answer(read.x, read.absorption, read.liquidations, read.price_usd, side, amount, in_usd=in_usd)


def _ask(url: str, asset: str, key: str, amount: float) -> dict[str, Any]:
    """The service's answer. Raises SettingsError where it refuses the question, ServiceError where it does not answer it."""
    import urllib.error
    import urllib.request
    from http.client import HTTPException
    from urllib.parse import quote, urlsplit

    from monitor.errors import ServiceError, SettingsError

    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right:
        raise SettingsError("--url: an address of the form http://host:port")
    address = f"{url.rstrip('/')}/api/v1/assets/{quote(asset, safe='')}/what-if?{key}={amount!r}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=TIMEOUT_SECONDS) as response:
            body = response.read(MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as refused:
        with refused:
            text = _error_text(refused.read(MAX_ANSWER_BYTES)) or f"HTTP {refused.code}"
        kind = SettingsError if refused.code in (400, 404, 422) else ServiceError
        raise kind(f"{url}: {text}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ServiceError(f"{url}: no answer ({reason}); is `undertow run` there?") from None
    found = _object(body)
    if found is None or "scales" not in found:
        raise ServiceError(f"{url}: that is not the answer of an Undertow")
    return found


def _object(body: bytes) -> dict[str, Any] | None:
    import orjson

    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _error_text(body: bytes) -> str:
    said = (_object(body) or {}).get("error")
    return said[:500] if isinstance(said, str) else ""


def _print(found: dict[str, Any]) -> None:
    from monitor.cli.console import line, out, print_table

    console = out()
    done = "sold" if found["side"] == "sell" else "bought"
    line(
        console,
        f"{_coins(found['sale_base'])} {done} at the market, {_dollars(found['sale_usd'])}, from {_dollars(found['price_usd'])};"
        f" in the books alone {_ratio(found['direct_ratio'])}",
    )
    if found["status"] != "ok":
        line(console, ("note: ", "yellow"), found["status"].replace("_", " "))
    scales = found["scales"]
    ignitions = {name: each["ignition"] for name, each in scales.items()}

    def row(title: str, show: Any, key: str, of: dict[str, Any]) -> list[str]:
        return [title, *("none" if each is None else show(each[key]) for each in of.values())]

    print_table(
        ("", *(f"{name} (x{each['scale']:g})" for name, each in scales.items())),
        [
            row("lands at", _ratio, "landing_ratio", scales),
            row("forced, coins", _coins, "forced_base", scales),
            row("forced", _dollars, "forced_usd", scales),
            row("multiplier", _times, "multiplier", scales),
            row("runs away above, coins", _coins, "sale_base", ignitions),
            row("runs away above", _dollars, "sale_usd", ignitions),
            row("  at", _ratio, "runaway_ratio", ignitions),
            row("  and lands at", _ratio, "landing_ratio", ignitions),
            row("  extra forced, coins", _coins, "extra_forced_base", ignitions),
        ],
    )


def _ratio(value: float | None) -> str:
    return "nowhere in range" if value is None else f"{value:.3%}"


def _coins(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.8g}"


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.0f}"


def _times(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
