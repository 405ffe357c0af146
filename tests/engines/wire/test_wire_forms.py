"""Frames in the forms of many venues, read to the last fact on both paths."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wire_cases import BookPaths, TradePaths
from wire_forms import (
    BITFINEX,
    BOOKS,
    KRAKEN_FUTURES,
    KRAKEN_FUTURES_CHANGE,
    TRADES,
    BookForm,
    TradeForm,
)

from engines.wire.errors import WireError
from engines.wire.layout import BUY
from engines.wire.plain import plain_book, plain_text_levels

each_book = pytest.mark.parametrize("form", BOOKS, ids=lambda form: form.name)
each_trade = pytest.mark.parametrize("form", TRADES, ids=lambda form: form.name)


@each_book
def test_book(form: BookForm) -> None:
    whole = BookPaths(form.grammar, form.scale, form.market)
    facts = whole.plain(form.frame)
    assert not isinstance(facts, str), facts
    header, bids, asks = facts
    assert (bids, asks) == (form.bids, form.asks)
    assert {slot: header[slot] for slot in form.slots} == form.slots
    one = BookPaths(form.scanned, form.scale, form.market)
    assert one.plain(form.frame) == facts
    assert one.scan(form.frame) == facts


@each_trade
def test_trades(form: TradeForm) -> None:
    paths = TradePaths(form.grammar, form.scale, form.market)
    expected = [[*trade, 0, 0] for trade in form.trades]
    assert paths.plain(form.frame) == expected
    if form.scans:
        assert paths.scan(form.frame) == expected


def change(form: BookForm | TradeForm, old: bytes, new: bytes) -> bytes:
    assert old in form.frame
    return form.frame.replace(old, new, 1)


BOOK = {form.name: form for form in BOOKS}
TRADE = {form.name: form for form in TRADES}


@pytest.mark.parametrize(
    ("name", "old", "new", "scanned", "plain"),
    [
        # The side of a row.
        ("coinbase change", b'"buy"', b'"bid"', "market", "market"),
        ("coinbase change", b'"buy"', b"1", "shape", "shape"),
        ("coinbase change", b'["buy",', b"[", "shape", "shape"),
        ("coinbase advanced", b'"offer"', b'"ask"', "market", "market"),
        ("coinbase advanced", b'"side":"bid",', b"", "missing", "missing"),
        ("coinbase advanced", b'"side":"bid",', b'"side":"bid","side":"bid",', "duplicate", "duplicate"),
        ("coinbase advanced", b'{"side":"bid"', b'["side","bid"', "shape", "syntax"),
        # A sign where the size tells the side, and only there.
        ("bitfinex snapshot", b"-0.03483509", b"0", "number", "number"),
        ("bitfinex snapshot", b"-0.03483509", b"-0.0", "number", "number"),
        ("bitfinex snapshot", b"[86704", b"[-86704", "number", "number"),
        ("bitfinex change", b"-0.03483509", b'"x"', "number", "number"),
        ("kraken spot snapshot", b'"qty":0.1', b'"qty":-0.1', "number", "number"),
        # A count.
        ("bitfinex snapshot", b"[86704,1,", b"[86704,-1,", "number", "number"),
        ("bitfinex snapshot", b"[86704,1,", b"[86704,1.5,", "number", "number"),
        ("bitfinex snapshot", b"[86704,1,", b"[86704,null,", "shape", "shape"),
        ("bitfinex snapshot", b"[86704,1,0.03460649]", b"[86704,1]", "shape", "shape"),
        ("bitfinex deletion", b",0,1]", b",0,x]", "syntax", "syntax"),
        ("bitfinex deletion", b",0,1]", b',0,"x"]', "number", "number"),
        ("bitfinex deletion", b",0,1]", b",0,0]", "number", "number"),
        # A row that is an object.
        ("kraken spot snapshot", b'"qty":0.10000000', b'"qty":0.10000000,"qty":1', "duplicate", "duplicate"),
        ("kraken spot snapshot", b'"price":45283.5,', b"", "missing", "missing"),
        ("kraken spot snapshot", b'{"price":45283.5,"qty":0.10000000}', b"{}", "missing", "missing"),
        ("kraken spot snapshot", b'{"price":45283.5,"qty":0.10000000}', b"[45283.5,0.1]", "shape", "shape"),
        ("kraken spot snapshot", b"45283.5", b"045283.5", "syntax", "syntax"),
        ("kraken spot snapshot", b"45283.5", b"45283.55", "off_grid", "off_grid"),
        ("kraken futures change", b'"side":"sell",', b"", "missing", "missing"),
        ("kraken futures change", b'"side":"sell"', b'"side":"ask"', "market", "market"),
        ("kraken futures change", b'"price":34981', b'"price":[34981]', "shape", "shape"),
        # Arrays whose elements mean different things.
        ("hyperliquid", b'"levels":[', b'"levels":[[],', "ok", "ok"),
        ("hyperliquid", b'[{"px":"84144.0","sz":"50.66449","n":18}]', b"null", "shape", "shape"),
        ("hyperliquid", b',[{"px":"84144.0","sz":"50.66449","n":18}]', b"", "missing", "missing"),
        ("hyperliquid", b'"levels":[[', b'"levels":{"a":[', "shape", "syntax"),
        ("bitfinex checksum", b",-1330055495,17", b"", "missing", "missing"),
        ("bitfinex checksum", b'"cs"', b'"hb"', "market", "market"),
        ("bitfinex checksum", b'"cs"', b"7", "shape", "shape"),
        ("bitfinex heartbeat", b',"hb",18', b"", "missing", "missing"),
        ("bitfinex heartbeat", b"[765277", b"{765277", "shape", "syntax"),
        # Kinds.
        ("gate snapshot", b'"full":true', b'"full":"true"', "market", "market"),
        ("gate snapshot", b'"full":true', b'"full":null', "shape", "shape"),
        ("htx", b'"event":"snapshot",', b"", "missing", "missing"),
        # Times and nullable integers.
        ("kraken spot snapshot", b'"timestamp":"2026-04-07T', b'"timestamp":"2026-04-31T', "number", "number"),
        ("kraken spot snapshot", b'"timestamp":"2026-04-07T14:30:00.123456Z"', b'"timestamp":1', "shape", "shape"),
        ("deribit snapshot", b'"change_id":136069961946', b'"change_id":null', "shape", "shape"),
        ("deribit snapshot", b'"prev_change_id":null', b'"prev_change_id":nul', "syntax", "syntax"),
        ("deribit snapshot", b'"prev_change_id":null', b'"prev_change_id":true', "shape", "shape"),
        ("gate snapshot", b'"u":108552472643', b'"U":null,"u":1', "shape", "shape"),
    ],
)
def test_book_refusals(name: str, old: bytes, new: bytes, scanned: str, plain: str) -> None:
    form = BOOK[name]
    paths = BookPaths(form.scanned, form.scale, form.market)
    for reading, wanted in (
        (paths.scan(change(form, old, new)), scanned),
        (paths.plain(change(form, old, new)), plain),
    ):
        assert (reading if isinstance(reading, str) else "ok") == wanted


@pytest.mark.parametrize(
    ("name", "old", "new", "bids"),
    [
        ("bitfinex change", b"-0.03483509", b"0.03483509", [[86719, 3_483_509]]),
        ("bitfinex change", b",2,-0.03483509", b',"0","1"', [[86719, 0]]),
        ("gate snapshot", b'"full":true,', b'"full":false,', [[772229, 27816], [772220, 10]]),
        ("kraken futures change", b'"sell"', b'"buy"', [[69962, 0]]),
        ("kraken spot snapshot", b'{"price":45283.0', b'{ "n" : [] , "price":45283.0', "shape"),
        ("kraken spot snapshot", b'"qty":0.0}', b'"qty":1E-3,"price_":9}', [[452835, 10_000_000], [452830, 100_000]]),
        ("dydx snapshot", b'"size":"1.5"', b'"size":1.5,"note":"\xc3\xa9"', [[86480, 15]]),
    ],
)
def test_other_spellings(name: str, old: bytes, new: bytes, bids: list[list[int]] | str) -> None:
    form = BOOK[name]
    paths = BookPaths(form.scanned, form.scale, form.market)
    reading, plain = paths.scan(change(form, old, new)), paths.plain(change(form, old, new))
    assert not isinstance(plain, str)
    if isinstance(bids, str):
        assert reading == bids
    else:
        assert plain[1] == bids
        assert reading == plain


@pytest.mark.parametrize(
    ("name", "old", "new", "reason", "path"),
    [
        # No constant of any form: the first form's own complaint.
        ("kraken futures change", b'"book"', b'"ticker"', "market", "feed"),
        ("bitfinex checksum", b'"cs"', b'"x"', "shape", "frame[1]"),
        # A constant of one form stands there: that form's.
        ("kraken futures change", b'"seq":326094134,', b"", "missing", "seq"),
        ("kraken futures change", b"PI_XBTUSD", b"PF_XBTUSD", "market", "product_id"),
        ("kraken futures snapshot", b"PI_XBTUSD", b"PF_XBTUSD", "market", "product_id"),
        ("coinbase snapshot", b'"bids"', b'"bid"', "missing", "bids"),
        ("bitfinex checksum", b"-1330055495", b"null", "shape", "frame[2]"),
        ("dydx change", b'["43250.0","0.0"]', b'{"price":"1","size":"1"}', "shape", "contents.asks"),
        # What no other form could mend is not tried on.
        ("bitfinex change", b"86719", b"86719.5", "off_grid", "frame[1]"),
        ("bitfinex snapshot", b"86719", b"86719.5", "off_grid", "frame[1]"),
    ],
)
def test_the_complaint_is_of_the_form_that_fits_best(name: str, old: bytes, new: bytes, reason: str, path: str) -> None:
    form = BOOK[name]
    paths = BookPaths(form.grammar, form.scale, form.market)
    with pytest.raises(WireError) as caught:
        plain_book(form.grammar, form.scale, form.market, change(form, old, new), paths.header, paths.levels)
    assert (caught.value.reason, caught.value.path) == (reason, path)


@pytest.mark.parametrize(
    ("name", "old", "new", "scanned", "plain"),
    [
        ("gate", b"-108", b"0", "ok", "ok"),
        ("gate", b"-108", b'"-108"', "ok", "ok"),
        ("gate", b"-108", b"--108", "number", "syntax"),
        ("gate", b"-108", b'"+108"', "number", "number"),
        ("gate", b'"96.4"', b'"-96.4"', "number", "number"),
        ("kraken spot", b'"qty":0.00027625', b'"qty":-1', "number", "number"),
        ("bitfinex", b'"te"', b'"fte"', "market", "market"),
        ("bitfinex", b'"te"', b"5", "shape", "shape"),
        ("bitfinex", b'"te"', b"null", "shape", "shape"),
        ("bitfinex", b",7245.3]", b"]", "missing", "missing"),
        ("bitfinex", b"7245.3]", b"7245.3,[0]]", "ok", "ok"),
        ("bitfinex confirmation", b"7245.3]", b"7245.3", "syntax", "syntax"),
        ("bitfinex heartbeat", b"5]", b'5,{"a":[{}]}]', "ok", "ok"),
        ("bitfinex history", b"1e-7", b"x", "syntax", "syntax"),
        ("kraken spot history", b'"type":"snapshot"', b'"type":"x"', "ok", "ok"),
        ("kraken spot history", b'"type":"snapshot"', b'"type":"snapshot","type":"snapshot"', "duplicate", "ok"),
        ("kraken spot history", b'"channel":"trade",', b"", "ok", "ok"),
        ("kraken futures history", b'"trade_snapshot"', b'"ticker"', "market", "market"),
        ("kraken futures history", b'"trade_snapshot"', b'"trade"', "missing", "missing"),
        ("coinbase", b'"time":"2026-04-07T14:30:00.123456Z"', b'"time":"now"', "number", "number"),
        ("coinbase", b'"time":"2026-04-07T14:30:00.123456Z",', b"", "missing", "missing"),
        ("hyperliquid", b'"users":["', b'"tid":5,"users":["', "duplicate", "duplicate"),
    ],
)
def test_trade_refusals(name: str, old: bytes, new: bytes, scanned: str, plain: str) -> None:
    form = TRADE[name]
    paths = TradePaths(form.grammar, form.scale, form.market)
    frame = change(form, old, new)
    readings = [paths.scan(frame), paths.plain(frame)]
    assert [reading if isinstance(reading, str) else "ok" for reading in readings] == [scanned, plain]
    if scanned == plain == "ok":
        assert readings[0] == readings[1]


def test_a_print_of_size_zero_is_no_trade() -> None:
    form = TRADE["gate"]
    paths = TradePaths(form.grammar, form.scale, form.market)
    for zero in (b"0", b"-0", b'"0.0"', b'"-0"'):
        rows = paths.scan(change(form, b"-108", zero))
        assert rows == paths.plain(change(form, b"-108", zero))
        assert not isinstance(rows, str)
        assert rows[0][:3] + rows[0][5:6] == [964, 0, BUY, 0]


def test_text_levels_of_other_forms() -> None:
    """Sizes come without the sign that told the side; of a deletion by count the size says nothing."""
    texts = {name: plain_text_levels(BOOK[name].grammar, BOOK[name].frame) for name in BOOK}
    assert texts["kraken spot snapshot"][0] == [("45283.5", "0.10000000"), ("45283.0", "0.0")]
    assert texts["kraken futures change"] == ([], [("34981", "0")])
    assert texts["bitfinex snapshot"] == (
        [("86704", "0.03460649"), ("86701", "1e-7")],
        [("86719", "0.03483509")],
    )
    assert texts["bitfinex change"] == ([], [("86719", "0.03483509")])
    assert texts["bitfinex deletion"] == ([("86644", "0")], [])
    assert texts["bitfinex checksum"] == ([], []) == texts["gate without levels"]
    assert texts["coinbase change"][1] == [("22356.30", "1.00000000")]
    assert texts["dydx change"] == ([], [("43250.0", "0.0")])
    with pytest.raises(WireError, match=r"frame\[1\]: shape"):
        plain_text_levels(BITFINEX, b"[1,null]")
    with pytest.raises(WireError, match="syntax"):
        plain_text_levels(BITFINEX, b"[1,")


def test_an_alternates_own_alternates_are_not_looked_at() -> None:
    inner = replace(KRAKEN_FUTURES, alternates=(KRAKEN_FUTURES_CHANGE,))
    outer = replace(KRAKEN_FUTURES, alternates=(inner,))
    form = BOOK["kraken futures change"]
    assert BookPaths(outer, form.scale, form.market).plain(form.frame) == "market"
