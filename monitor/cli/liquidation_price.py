"""`undertow liquidation-price`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.options import AsJson, LogFormat, LogLevel

EXAMPLES = (
    (
        "undertow liquidation-price --venue binance_usdm --symbol BTCUSDT --entry 70000 --quantity 2 --leverage 25",
        "An isolated long of 2 BTC by documented brackets",
    ),
    (
        "undertow liquidation-price --venue binance_coinm --symbol BTCUSD_PERP --entry 5e4 --quantity 60000 --wallet 1",
        "60,000 US dollars of contracts on 1 BTC",
    ),
    (
        "undertow liquidation-price --venue bybit_linear --symbol BTCUSDT --entry 7e4 --quantity 1 --leverage 9 --json",
        "By tiers that are assumed where none are known, as JSON",
    ),
)


def liquidation_price(
    venue: Annotated[str, typer.Option(metavar="NAME", help="See `undertow venues`.")],
    symbol: Annotated[str, typer.Option(help="The market, in the venue's own spelling.")],
    entry: Annotated[float, typer.Option(metavar="PRICE", help="Average entry price, as the venue quotes it.")],
    quantity: Annotated[
        float,
        typer.Option(
            metavar="N", help="Base coins; of inverse contracts US dollars (number of contracts x dollars in one)."
        ),
    ],
    side: Annotated[Literal["long", "short"], typer.Option(help="Of the position.")] = "long",
    leverage: Annotated[
        float | None, typer.Option(metavar="X", help="Isolated: the margin is the position's worth over this.")
    ] = None,
    wallet: Annotated[
        float | None,
        typer.Option(
            metavar="AMOUNT",
            help="In place of --leverage: isolated margin or balance of the cross account, in quote currency, of inverse"
            " contracts in coins. Hyperliquid: the account's value at --mark.",
        ),
    ] = None,
    other_maintenance: Annotated[
        float, typer.Option(metavar="AMOUNT", help="Cross: maintenance margin of the account's other contracts.")
    ] = 0.0,
    other_pnl: Annotated[
        float, typer.Option(metavar="AMOUNT", help="Cross: unrealised profit and loss of the other contracts.")
    ] = 0.0,
    mark: Annotated[
        float | None, typer.Option(metavar="PRICE", help="Mark price now; the distance is counted from it.")
    ] = None,
    fee: Annotated[
        float | None,
        typer.Option(
            metavar="RATIO", help="Taker fee in the requirement, 0.0005 for 0.05%; else the venue's, mostly 0."
        ),
    ] = None,
    valued_at: Annotated[Literal["mark", "entry"], typer.Option(help="entry: by Bybit's older pages.")] = "mark",
    tiers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Margin tiers of your own, as for engine.tiers_file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="http://HOST:PORT", help="Take tiers and mark price from a running service.")
    ] = None,
    contract_size: Annotated[
        float | None,
        typer.Option(metavar="N", help="Coins in a contract (inverse: US dollars), where tiers count contracts."),
    ] = None,
    as_json: AsJson = False,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """Where a position is liquidated, by the venue's rule and the margin bracket that is valid at that price.

    Tiers come from a running service (--url) or a file (--tiers); without them from documentation, and where there is none one ratio
    is assumed. The answer says which, with its date.
    """
    from monitor.cli.loading import loading

    with loading():
        from monitor.cli.liquidation_answer import Asked, answer
        from monitor.liquidation_price import Holding

    holding = Holding(
        side, quantity, entry, leverage, wallet, other_maintenance, other_pnl, mark, fee, at_entry=valued_at == "entry"
    )
    answer(Asked(venue, symbol, holding, tiers, url, contract_size), as_json=as_json)
