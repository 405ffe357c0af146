"""Short closed sets and one-line messages."""

from __future__ import annotations

import pytest

from monitor.errors import VenueStopped
from monitor.feed.options import VenueOptions
from monitor.feed.reasons import Reason, known_reason
from monitor.feed.rest import halt_reason, retry_after
from monitor.feed.trail import trail


def test_a_reason_from_outside_joins_the_closed_set() -> None:
    assert known_reason("silent") is Reason.SILENT
    assert known_reason("because I say so") is Reason.ASKED


def test_a_halt_is_named_by_its_status_and_not_by_a_number_in_passing() -> None:
    assert halt_reason(VenueStopped("x: banned (HTTP 418), no request for 403 s", 403.0)) is Reason.HTTP_418
    assert halt_reason(VenueStopped("the venue is closed", None)) is Reason.REFUSED


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), (" 7 ", 7.0), ("-1", None), ("Sun, 06 Nov", None), ("", None)]
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}) == seconds


def test_a_trail_names_the_place_in_one_line() -> None:
    def inner() -> None:
        raise ValueError("bad\nnews")

    with pytest.raises(ValueError, match="bad") as caught:
        inner()
    text = trail(caught.value)
    assert text.startswith("ValueError: bad")
    assert "test_feed_names.py" in text
    assert text.endswith("inner]")


@pytest.mark.parametrize("wrong", [{"rest_budget_ratio": 0.0}, {"rest_budget_ratio": 1.1}, {"rest_concurrency": 9}])
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is"):
        VenueOptions(("A",), **wrong)  # type: ignore[arg-type]
