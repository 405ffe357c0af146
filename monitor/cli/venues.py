"""`undertow venues`."""

from __future__ import annotations

from monitor.cli.options import AsJson, LogFormat, LogLevel

EXAMPLES = (
    ("undertow venues", "What is taken from each venue, and how far it can be trusted"),
    ("undertow venues --json | jq '.venues[].venue'", "The names for the settings"),
)


def venues(as_json: AsJson = False, log_format: LogFormat = "console", log_level: LogLevel = "info") -> None:
    """The venues: channels, how books are verified, how many liquidations they publish, when that was last checked."""
    from monitor.cli.console import print_json, print_table
    from monitor.reference.venues import channels
    from monitor.venues.registry import VENUES

    if as_json:
        print_json(
            {
                "venues": [
                    {
                        "venue": venue.name,
                        "title": venue.title,
                        "contracts": venue.contract_types,
                        "channels": channels(venue),
                        "book_verification": venue.verification,
                        "liquidation_coverage": venue.liquidation_coverage,
                        "symbol_example": venue.symbol_example,
                        "checked": venue.checked.isoformat(),
                    }
                    for venue in VENUES.values()
                ]
            }
        )
        return
    print_table(
        ("venue", "channels", "book verification", "liquidations", "checked"),
        [
            (v.name, ", ".join(channels(v)), v.verification, v.liquidation_coverage, v.checked.isoformat())
            for v in VENUES.values()
        ],
    )
