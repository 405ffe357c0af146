"""Grammars in the forms of many venues, each with good frames and what they say. Shared by the tests of engines.wire."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wire_cases import BINANCE, BINANCE_TRADE, BYBIT, BYBIT_TRADE, OKX, scale

from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Nth, Row, TradeGrammar
from engines.wire.layout import (
    BUY,
    CHECKSUM,
    ENGINE_TIME,
    EVENT_TIME,
    FIRST_ID,
    KIND,
    KIND_DELTA,
    KIND_SNAPSHOT,
    LAST_ID,
    PREVIOUS_ID,
    SELL,
)
from engines.wire.scale import Scale

KRAKEN_SPOT = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    row=Row("price", "qty", quoted=False),
    integers=(
        IntegerField(("data", 0, "checksum"), CHECKSUM),
        IntegerField(("data", 0, "timestamp"), EVENT_TIME, required=False, rfc3339=True),
    ),
    expects={("channel",): "book"},
    market=(("data", 0, "symbol"),),
    kind=(("type",), "snapshot", "update"),
)
KRAKEN_FUTURES_CHANGE = BookGrammar(
    bids=(),
    asks=(),
    single=True,
    row=Row("price", "qty", quoted=False, side="side", bid="buy", ask="sell"),
    integers=(IntegerField(("seq",), LAST_ID), IntegerField(("timestamp",), EVENT_TIME, MILLISECOND)),
    expects={("feed",): "book"},
    market=(("product_id",),),
)
KRAKEN_FUTURES = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    row=Row("price", "qty", quoted=False),
    integers=(IntegerField(("seq",), LAST_ID), IntegerField(("timestamp",), EVENT_TIME, MILLISECOND)),
    expects={("feed",): "book_snapshot"},
    market=(("product_id",),),
    default_kind=KIND_SNAPSHOT,
    alternates=(KRAKEN_FUTURES_CHANGE,),
)
_BITFINEX_ROW = Row(price=0, size=2, quoted=False, signed=True, count=1)
BITFINEX_CHANGE = BookGrammar(
    bids=(Nth(1),),
    asks=(Nth(1),),
    row=_BITFINEX_ROW,
    single=True,
    integers=(IntegerField((Nth(2),), LAST_ID, required=False),),
)
BITFINEX_CHECKSUM = BookGrammar(
    bids=None, asks=None, expects={(Nth(1),): "cs"}, integers=(IntegerField((Nth(2),), CHECKSUM),)
)
BITFINEX_HEARTBEAT = BookGrammar(bids=None, asks=None, expects={(Nth(1),): "hb"})
BITFINEX = BookGrammar(
    bids=(Nth(1),),
    asks=(Nth(1),),
    row=_BITFINEX_ROW,
    default_kind=KIND_SNAPSHOT,
    alternates=(BITFINEX_CHANGE, BITFINEX_CHECKSUM, BITFINEX_HEARTBEAT),
)
COINBASE_SNAPSHOT = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    integers=(IntegerField(("time",), EVENT_TIME, required=False, rfc3339=True),),
    expects={("type",): "snapshot"},
    market=(("product_id",),),
    default_kind=KIND_SNAPSHOT,
)
COINBASE = BookGrammar(
    bids=("changes",),
    asks=("changes",),
    row=Row(price=1, size=2, side=0, bid="buy", ask="sell"),
    integers=(IntegerField(("time",), EVENT_TIME, rfc3339=True),),
    expects={("type",): "l2update"},
    market=(("product_id",),),
    alternates=(COINBASE_SNAPSHOT,),
)
COINBASE_ADVANCED = BookGrammar(
    bids=("events", 0, "updates"),
    asks=("events", 0, "updates"),
    row=Row("price_level", "new_quantity", side="side", bid="bid", ask="offer"),
    integers=(IntegerField(("sequence_num",), LAST_ID), IntegerField(("timestamp",), EVENT_TIME, rfc3339=True)),
    expects={("channel",): "l2_data"},
    market=(("events", 0, "product_id"),),
    kind=(("events", 0, "type"), "snapshot", "update"),
)
HYPERLIQUID = BookGrammar(
    bids=("data", "levels", Nth(0)),
    asks=("data", "levels", Nth(1)),
    row=Row("px", "sz"),
    integers=(IntegerField(("data", "time"), EVENT_TIME, MILLISECOND),),
    expects={("channel",): "l2Book"},
    market=(("data", "coin"),),
    default_kind=KIND_SNAPSHOT,
)
DERIBIT = BookGrammar(
    bids=("params", "data", "bids"),
    asks=("params", "data", "asks"),
    row=Row(price=1, size=2, quoted=False),
    integers=(
        IntegerField(("params", "data", "change_id"), LAST_ID),
        IntegerField(("params", "data", "prev_change_id"), PREVIOUS_ID, required=False, nullable=True),
        IntegerField(("params", "data", "timestamp"), EVENT_TIME, MILLISECOND),
    ),
    market=(("params", "data", "instrument_name"),),
    kind=(("params", "data", "type"), "snapshot", "change"),
)
HTX = BookGrammar(
    bids=("tick", "bids"),
    asks=("tick", "asks"),
    row=Row(quoted=False),
    integers=(
        IntegerField(("tick", "version"), LAST_ID),
        IntegerField(("ts",), EVENT_TIME, MILLISECOND),
        IntegerField(("tick", "ts"), ENGINE_TIME, MILLISECOND),
    ),
    expects={("ch",): "market.BTC-USDT.depth.size_150.high_freq"},
    kind=(("tick", "event"), "snapshot", "update"),
)
KUCOIN = BookGrammar(
    bids=("d", "b"),
    asks=("d", "a"),
    integers=(
        IntegerField(("d", "O"), FIRST_ID),
        IntegerField(("d", "C"), LAST_ID),
        IntegerField(("P",), EVENT_TIME),
        IntegerField(("d", "M"), ENGINE_TIME),
    ),
    expects={("T",): "obu.FUTURES"},
    market=(("d", "s"),),
    kind=(("t",), "snapshot", "delta"),
)
GATE = BookGrammar(
    bids=("result", "b"),
    asks=("result", "a"),
    integers=(
        IntegerField(("result", "U"), FIRST_ID, required=False),
        IntegerField(("result", "u"), LAST_ID),
        IntegerField(("result", "t"), EVENT_TIME, MILLISECOND),
    ),
    expects={("channel",): "futures.obu", ("result", "s"): "ob.BTC_USDT.400"},
    kind=(("result", "full"), True, False),
    kind_required=False,
    sides_required=False,
)
BITGET = BookGrammar(
    bids=("data", 0, "b"),
    asks=("data", 0, "a"),
    integers=(
        IntegerField(("data", 0, "seq"), LAST_ID),
        IntegerField(("data", 0, "pseq"), PREVIOUS_ID),
        IntegerField(("data", 0, "ts"), EVENT_TIME, MILLISECOND),
    ),
    expects={("arg", "topic"): "books"},
    market=(("arg", "symbol"),),
    kind=(("action",), "snapshot", "update"),
)
DYDX_CHANGE = BookGrammar(
    bids=("contents", "bids"),
    asks=("contents", "asks"),
    expects={("type",): "channel_data"},
    market=(("id",),),
    sides_required=False,
)
DYDX = replace(
    DYDX_CHANGE,
    row=Row("price", "size"),
    expects={("type",): "subscribed"},
    default_kind=KIND_SNAPSHOT,
    alternates=(DYDX_CHANGE,),
)
BINANCE_SPOT = replace(
    BINANCE,
    integers=(
        IntegerField(("data", "U"), FIRST_ID),
        IntegerField(("data", "u"), LAST_ID),
        IntegerField(("data", "E"), EVENT_TIME, MILLISECOND),
    ),
)

KRAKEN_SPOT_TRADE = TradeGrammar(
    rows=("data",),
    single=False,
    price=("price",),
    size=("qty",),
    side=("side",),
    taker_buy="buy",
    taker_sell="sell",
    time=("timestamp",),
    identifier=("trade_id",),
    expects={("channel",): "trade"},
    row_market=(("symbol",),),
    quoted=False,
    rfc3339=True,
    ignore={("type",): ("snapshot",)},
)
KRAKEN_FUTURES_TRADE = TradeGrammar(
    rows=(),
    single=True,
    price=("price",),
    size=("qty",),
    side=("side",),
    taker_buy="buy",
    taker_sell="sell",
    time=("time",),
    identifier=("seq",),
    expects={("feed",): "trade"},
    market=(("product_id",),),
    keep={("type",): ("fill", "liquidation")},
    quoted=False,
    ignore={("feed",): ("trade_snapshot",)},
)
BITFINEX_TRADE = TradeGrammar(
    rows=(Nth(2),),
    single=True,
    price=(Nth(3),),
    size=(Nth(2),),
    side=None,
    taker_buy="",
    taker_sell="",
    time=(Nth(1),),
    identifier=(Nth(0),),
    expects={(Nth(1),): "te"},
    quoted=False,
    signed=True,
    ignore={(Nth(1),): ("tu", "hb", list)},
)
COINBASE_TRADE = TradeGrammar(
    rows=(),
    single=True,
    price=("price",),
    size=("size",),
    side=("side",),
    taker_buy="sell",
    taker_sell="buy",
    time=("time",),
    identifier=("trade_id",),
    expects={("type",): "match"},
    market=(("product_id",),),
    rfc3339=True,
    ignore={("type",): ("last_match",)},
)
COINBASE_ADVANCED_TRADE = TradeGrammar(
    rows=("events", 0, "trades"),
    single=False,
    price=("price",),
    size=("size",),
    side=("side",),
    taker_buy="SELL",
    taker_sell="BUY",
    time=("time",),
    identifier=("trade_id",),
    expects={("channel",): "market_trades"},
    row_market=(("product_id",),),
    rfc3339=True,
    ignore={("events", 0, "type"): ("snapshot",)},
)
HYPERLIQUID_TRADE = TradeGrammar(
    rows=("data",),
    single=False,
    price=("px",),
    size=("sz",),
    side=("side",),
    taker_buy="B",
    taker_sell="A",
    time=("time",),
    identifier=("tid",),
    expects={("channel",): "trades"},
    row_market=(("coin",),),
)
DERIBIT_TRADE = TradeGrammar(
    rows=("params", "data"),
    single=False,
    price=("price",),
    size=("amount",),
    side=("direction",),
    taker_buy="buy",
    taker_sell="sell",
    time=("timestamp",),
    identifier=("trade_seq",),
    row_market=(("instrument_name",),),
    keep={("block_trade_id",): (), ("combo_id",): ()},
    quoted=False,
)
HTX_TRADE = TradeGrammar(
    rows=("tick", "data"),
    single=False,
    price=("price",),
    size=("amount",),
    side=("direction",),
    taker_buy="buy",
    taker_sell="sell",
    time=("ts",),
    identifier=("id",),
    expects={("ch",): "market.BTC-USDT.trade.detail"},
    quoted=False,
)
KUCOIN_TRADE = TradeGrammar(
    rows=("d",),
    single=True,
    price=("p",),
    size=("q",),
    side=("S",),
    taker_buy="buy",
    taker_sell="sell",
    time=("M",),
    time_unit=1,
    identifier=("ti",),
    expects={("T",): "trade.FUTURES"},
    market=(("d", "s"),),
)
GATE_TRADE = TradeGrammar(
    rows=("result",),
    single=False,
    price=("price",),
    size=("size",),
    side=None,
    taker_buy="",
    taker_sell="",
    time=("create_time_ms",),
    identifier=("id",),
    expects={("channel",): "futures.trades", ("event",): "update"},
    row_market=(("contract",),),
    keep={("is_internal",): (False,)},
    signed=True,
)
BITGET_TRADE = TradeGrammar(
    rows=("data",),
    single=False,
    price=("p",),
    size=("v",),
    side=("S",),
    taker_buy="buy",
    taker_sell="sell",
    time=("T",),
    identifier=("i",),
    expects={("arg", "topic"): "publicTrade"},
    market=(("arg", "symbol"),),
    ignore={("action",): ("snapshot",)},
)
DYDX_TRADE = TradeGrammar(
    rows=("contents", "trades"),
    single=False,
    price=("price",),
    size=("size",),
    side=("side",),
    taker_buy="BUY",
    taker_sell="SELL",
    time=("createdAt",),
    market=(("id",),),
    expects={("type",): "channel_data"},
    rfc3339=True,
    keep={("type",): ("LIMIT", "MARKET", "TWAP_SUBORDER", "LIQUIDATED")},
    ignore={("type",): ("subscribed",)},
)


@dataclass(frozen=True)
class BookForm:
    """A grammar, a frame it reads, and the facts of that frame."""

    name: str
    grammar: BookGrammar
    scale: Scale
    market: str
    frame: bytes
    slots: dict[int, int]  # header slots that must be so
    bids: list[list[int]]
    asks: list[list[int]]
    form: BookGrammar | None = None  # the alternate that reads it; None: the grammar itself

    @property
    def scanned(self) -> BookGrammar:
        return self.form or self.grammar


@dataclass(frozen=True)
class TradeForm:
    name: str
    grammar: TradeGrammar
    scale: Scale
    market: str
    frame: bytes
    trades: list[list[int]]  # tick, lots, side, time, id, kept
    scans: bool = True  # False: only the plain path reads it


NOON = 1_775_572_200_123_456_000  # 2026-04-07T14:30:00.123456Z
FINE = scale("0.1", "0.00000001")
_LEVELS_BTC = b'"bids":[{"price":45283.5,"qty":0.10000000},{"price":45283.0,"qty":0.0}],"asks":[{"price":45285.2,"qty":0.00100000}]'

BOOKS = [
    BookForm(
        "kraken spot snapshot",
        KRAKEN_SPOT,
        FINE,
        "BTC/USD",
        b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD",'
        + _LEVELS_BTC
        + b',"checksum":3310070434,"timestamp":"2026-04-07T14:30:00.123456Z"}]}',
        {KIND: KIND_SNAPSHOT, CHECKSUM: 3310070434, EVENT_TIME: NOON},
        [[452835, 10_000_000], [452830, 0]],
        [[452852, 100_000]],
    ),
    BookForm(
        "kraken spot update",
        KRAKEN_SPOT,
        FINE,
        "BTC/USD",
        b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[{"price":45285.2,"qty":1e-8}],'
        b'"checksum":2114181697,"timestamp":"2023-10-06T17:35:55Z"}]}',
        {KIND: KIND_DELTA, CHECKSUM: 2114181697, EVENT_TIME: 1_696_613_755_000_000_000},
        [],
        [[452852, 1]],
    ),
    BookForm(
        "kraken futures snapshot",
        KRAKEN_FUTURES,
        scale("0.5", "1"),
        "PI_XBTUSD",
        b'{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":1612269825817,"seq":326072249,"tickSize":null,'
        b'"bids":[{"price":34892.5,"qty":6385},{"price":34892,"qty":0}],"asks":[{"price":34911.5,"qty":20598}]}',
        {KIND: KIND_SNAPSHOT, LAST_ID: 326072249, EVENT_TIME: 1612269825817 * MILLISECOND},
        [[69785, 6385], [69784, 0]],
        [[69823, 20598]],
    ),
    BookForm(
        "kraken futures change",
        KRAKEN_FUTURES,
        scale("0.5", "1"),
        "PI_XBTUSD",
        b'{"feed":"book","product_id":"PI_XBTUSD","side":"sell","seq":326094134,"price":34981,"qty":0,"timestamp":1612269953629}',
        {KIND: KIND_DELTA, LAST_ID: 326094134, EVENT_TIME: 1612269953629 * MILLISECOND},
        [],
        [[69962, 0]],
        KRAKEN_FUTURES_CHANGE,
    ),
    BookForm(
        "bitfinex snapshot",
        BITFINEX,
        scale("1", "0.00000001"),
        "",
        b"[759362,[[86704,1,0.03460649],[86701,2,1e-7],[86719,2,-0.03483509]],1]",
        {KIND: KIND_SNAPSHOT},
        [[86704, 3_460_649], [86701, 10]],
        [[86719, 3_483_509]],
    ),
    BookForm(
        "bitfinex change",
        BITFINEX,
        scale("1", "0.00000001"),
        "",
        b"[759362,[86719,2,-0.03483509]]",
        {KIND: KIND_DELTA},
        [],
        [[86719, 3_483_509]],
        BITFINEX_CHANGE,
    ),
    BookForm(
        "bitfinex deletion",
        BITFINEX,
        scale("1", "10"),
        "",
        b"[288922,[86644,0,1],3]",
        {KIND: KIND_DELTA, LAST_ID: 3},
        [[86644, 0]],
        [],
        BITFINEX_CHANGE,
    ),
    BookForm(
        "bitfinex checksum",
        BITFINEX,
        scale("1", "0.00000001"),
        "",
        b'[759362,"cs",-1330055495,17]',
        {KIND: KIND_DELTA, CHECKSUM: -1330055495},
        [],
        [],
        BITFINEX_CHECKSUM,
    ),
    BookForm(
        "bitfinex heartbeat",
        BITFINEX,
        scale("1", "0.00000001"),
        "",
        b'[765277,"hb",18]',
        {KIND: KIND_DELTA},
        [],
        [],
        BITFINEX_HEARTBEAT,
    ),
    BookForm(
        "coinbase change",
        COINBASE,
        scale("0.01", "0.00000001"),
        "BTC-USD",
        b'{"type":"l2update","product_id":"BTC-USD","changes":[["buy","22356.270000","0.00000000"],["sell","22356.30","1.00000000"],'
        b'["buy","22356.26","0.5"]],"time":"2026-04-07T14:30:00.123456Z"}',
        {KIND: KIND_DELTA, EVENT_TIME: NOON},
        [[2235627, 0], [2235626, 50_000_000]],
        [[2235630, 100_000_000]],
    ),
    BookForm(
        "coinbase snapshot",
        COINBASE,
        scale("0.01", "0.00000001"),
        "BTC-USD",
        b'{"type":"snapshot","product_id":"BTC-USD","bids":[["10101.10","0.45054140"]],"asks":[["10102.55","0.57753524"]],'
        b'"time":"2026-04-07T14:30:00.123456Z"}',
        {KIND: KIND_SNAPSHOT, EVENT_TIME: NOON},
        [[1010110, 45_054_140]],
        [[1010255, 57_753_524]],
        COINBASE_SNAPSHOT,
    ),
    BookForm(
        "coinbase advanced",
        COINBASE_ADVANCED,
        scale("0.01", "0.00000001"),
        "BTC-USD",
        b'{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:00.123456Z","sequence_num":0,"events":[{"type":"snapshot",'
        b'"product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-04-07T14:30:00.123456Z","price_level":"68900.00",'
        b'"new_quantity":"1.50000000"},{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"68901.00","new_quantity":'
        b'"0.50000000"}]}]}',
        {KIND: KIND_SNAPSHOT, LAST_ID: 0, EVENT_TIME: NOON},
        [[6890000, 150_000_000]],
        [[6890100, 50_000_000]],
    ),
    BookForm(
        "hyperliquid",
        HYPERLIQUID,
        scale("0.1", "0.00001"),
        "BTC",
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1790232236546,"levels":[[{"px":"84143.0","sz":"10.25923","n":36},'
        b'{"px":"84142.0","sz":"1.65875","n":7}],[{"px":"84144.0","sz":"50.66449","n":18}]]}}',
        {KIND: KIND_SNAPSHOT, EVENT_TIME: 1790232236546 * MILLISECOND},
        [[841430, 1_025_923], [841420, 165_875]],
        [[841440, 5_066_449]],
    ),
    BookForm(
        "deribit snapshot",
        DERIBIT,
        scale("0.05", "1"),
        "ETH-PERPETUAL",
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.ETH-PERPETUAL.100ms","data":{"timestamp":1790133840638,'
        b'"type":"snapshot","change_id":136069961946,"prev_change_id":null,"instrument_name":"ETH-PERPETUAL","bids":[["new",2772.65,'
        b'2700],["new",2772.6,2.2e3]],"asks":[["new",2772.7,53.0]]}}}',
        {KIND: KIND_SNAPSHOT, LAST_ID: 136069961946, PREVIOUS_ID: 0, EVENT_TIME: 1790133840638 * MILLISECOND},
        [[55453, 2700], [55452, 2200]],
        [[55454, 53]],
    ),
    BookForm(
        "deribit change",
        DERIBIT,
        scale("0.00001", "1"),
        "ALGO_USDC-PERPETUAL",
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.ALGO_USDC-PERPETUAL.100ms","data":{"timestamp":'
        b'1790133842703,"type":"change","change_id":193809634213,"instrument_name":"ALGO_USDC-PERPETUAL","bids":[["change",0.11374,'
        b'1054.0],["delete",0.11344,0.0]],"asks":[],"prev_change_id":193809631160}}}',
        {KIND: KIND_DELTA, LAST_ID: 193809634213, PREVIOUS_ID: 193809631160},
        [[11374, 1054], [11344, 0]],
        [],
    ),
    BookForm(
        "htx",
        HTX,
        scale("0.1", "1"),
        "BTC-USDT",
        b'{"ch":"market.BTC-USDT.depth.size_150.high_freq","ts":1790134831753,"tick":{"asks":[[86859.9,817],[86864.5,14]],"bids":'
        b'[[86859.8,6172],[86858,0]],"ch":"market.BTC-USDT.depth.size_150.high_freq","event":"snapshot","id":100129125618870,'
        b'"mrid":100129125618870,"ts":1790134831749,"version":1789895280797}}',
        {KIND: KIND_SNAPSHOT, LAST_ID: 1789895280797, EVENT_TIME: 1790134831753 * MILLISECOND},
        [[868598, 6172], [868580, 0]],
        [[868599, 817], [868645, 14]],
    ),
    BookForm(
        "kucoin",
        KUCOIN,
        scale("0.1", "1"),
        "XBTUSDTM",
        b'{"T":"obu.FUTURES","dp":"increment@10ms","t":"delta","P":1790114459840641662,"d":{"a":[],"b":[["85973.3","16236"],'
        b'["85887.1","98"]],"C":1747821262585,"s":"XBTUSDTM","M":1790114459839000000,"O":1747821262584}}',
        {KIND: KIND_DELTA, FIRST_ID: 1747821262584, LAST_ID: 1747821262585, EVENT_TIME: 1790114459840641662},
        [[859733, 16236], [858871, 98]],
        [],
    ),
    BookForm(
        "gate snapshot",
        GATE,
        scale("0.1", "0.1"),
        "BTC_USDT",
        b'{"time":1789456334,"time_ms":1789456334999,"channel":"futures.obu","event":"update","result":{"t":1789456334981,"full":true,'
        b'"s":"ob.BTC_USDT.400","u":108552472643,"b":[["77222.9","2781.6"],["77222","1"]],"a":[["77235","8292"]]}}',
        {KIND: KIND_SNAPSHOT, LAST_ID: 108552472643, FIRST_ID: 0},
        [[772229, 27816], [772220, 10]],
        [[772350, 82920]],
    ),
    BookForm(
        "gate without levels",
        GATE,
        scale("0.1", "1"),
        "BTC_USDT",
        b'{"time":1789455580,"time_ms":1789455580301,"channel":"futures.obu","event":"update","result":{"t":1789455580300,'
        b'"s":"ob.BTC_USDT.400","U":125033676004,"u":125033676011}}',
        {KIND: KIND_DELTA, FIRST_ID: 125033676004, LAST_ID: 125033676011},
        [],
        [],
    ),
    BookForm(
        "bitget",
        BITGET,
        scale("0.00001", "0.01"),
        "MAVUSDT",
        b'{"action":"update","arg":{"instType":"usdt-futures","topic":"books","symbol":"MAVUSDT"},"data":[{"a":[],"b":[["0.00519",'
        b'"30828.52"]],"seq":427583480559,"pseq":427583461144,"ts":"1789456512452","maxdepth":"1000"}],"ts":1789456512454}',
        {KIND: KIND_DELTA, LAST_ID: 427583480559, PREVIOUS_ID: 427583461144, EVENT_TIME: 1789456512452 * MILLISECOND},
        [[519, 3_082_852]],
        [],
    ),
    BookForm(
        "dydx snapshot",
        DYDX,
        scale("0.5", "0.1"),
        "BTC-USD",
        b'{"type":"subscribed","connection_id":"c","message_id":1,"channel":"v4_orderbook","id":"BTC-USD","contents":{"bids":'
        b'[{"price":"43240.0","size":"1.5"}],"asks":[{"price":"43250","size":"1.2"}]}}',
        {KIND: KIND_SNAPSHOT},
        [[86480, 15]],
        [[86500, 12]],
    ),
    BookForm(
        "dydx change",
        DYDX,
        scale("0.5", "0.1"),
        "BTC-USD",
        b'{"type":"channel_data","connection_id":"c","message_id":2,"id":"BTC-USD","channel":"v4_orderbook","version":"1.0.0",'
        b'"contents":{"asks":[["43250.0","0.0"]]}}',
        {KIND: KIND_DELTA},
        [],
        [[86500, 0]],
        DYDX_CHANGE,
    ),
    BookForm(
        "binance spot",
        BINANCE_SPOT,
        scale("0.0001", "1"),
        "BNBBTC",
        b'{"stream":"bnbbtc@depth","data":{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],'
        b'"a":[["0.0026","100.00000000"]]}}',
        {KIND: KIND_DELTA, FIRST_ID: 157, LAST_ID: 160},
        [[24, 10]],
        [[26, 100]],
    ),
    BookForm(
        "bybit full",
        BYBIT,
        scale("0.1", "0.001"),
        "BTCUSDT",
        b'{"topic":"orderbook.full.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT","b":[["30247.20","30.028"]],'
        b'"a":[],"u":177400507,"seq":66544703342},"cts":1687940967464}',
        {KIND: KIND_DELTA, LAST_ID: 177400507},
        [[302472, 30028]],
        [],
    ),
    BookForm(
        "okx",
        OKX,
        scale("0.1", "0.01"),
        "BTC-USD",
        b'{"arg":{"channel":"books","instId":"BTC-USD"},"action":"update","data":[{"asks":[["5.1","1","0","2"]],"bids":[],"ts":"5",'
        b'"prevSeqId":-1,"seqId":9}]}',
        {KIND: KIND_DELTA, LAST_ID: 9, PREVIOUS_ID: -1},
        [],
        [[51, 100]],
    ),
]  # fmt: skip

TRADES = [
    TradeForm(
        "kraken spot",
        KRAKEN_SPOT_TRADE,
        FINE,
        "BTC/USD",
        b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,'
        b'"ord_type":"limit","trade_id":10218208,"timestamp":"2026-04-07T14:30:00.123456Z"},{"symbol":"BTC/USD","side":"sell",'
        b'"price":105944,"qty":1,"ord_type":"market","trade_id":10218209,"timestamp":"2026-04-07T14:30:00.123456Z"}]}',
        [[1059442, 27625, BUY, NOON, 10218208, 1], [1059440, 10**8, SELL, NOON, 10218209, 1]],
    ),
    TradeForm(
        "kraken spot history",
        KRAKEN_SPOT_TRADE,
        FINE,
        "BTC/USD",
        b'{"channel":"trade","type":"snapshot","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,'
        b'"ord_type":"limit","trade_id":10218208,"timestamp":"2026-04-07T14:30:00.123456Z"}]}',
        [],
    ),
    TradeForm(
        "kraken futures",
        KRAKEN_FUTURES_TRADE,
        scale("0.5", "1"),
        "PI_XBTUSD",
        b'{"feed":"trade","product_id":"PI_XBTUSD","uid":"05af78ac-a774-478c-a50c-8b9c234e071e","side":"sell","type":"fill",'
        b'"seq":653355,"time":1612266317519,"qty":15000,"price":34969.5}',
        [[69939, 15000, SELL, 1612266317519 * MILLISECOND, 653355, 1]],
    ),
    TradeForm(
        "kraken futures history",
        KRAKEN_FUTURES_TRADE,
        scale("0.5", "1"),
        "PI_XBTUSD",
        b'{"feed":"trade_snapshot","product_id":"PI_XBTUSD","trades":[{"feed":"trade","product_id":"PI_XBTUSD","uid":"05af",'
        b'"side":"sell","type":"fill","seq":653355,"time":1612266317519,"qty":15000,"price":34969.5}]}',
        [],
    ),
    TradeForm(
        "bitfinex",
        BITFINEX_TRADE,
        FINE,
        "",
        b'[17470,"te",[401597395,1574694478808,-0.005,7245.3],4]',
        [[72453, 500_000, SELL, 1574694478808 * MILLISECOND, 401597395, 1]],
    ),
    TradeForm(
        "bitfinex confirmation", BITFINEX_TRADE, FINE, "", b'[17470,"tu",[401597395,1574694478808,0.005,7245.3],5]', []
    ),
    TradeForm("bitfinex heartbeat", BITFINEX_TRADE, FINE, "", b'[17470,"hb",5]', []),
    TradeForm("bitfinex history", BITFINEX_TRADE, FINE, "", b"[17470,[[401597395,1574694478808,1e-7,7245.35]],5]", []),
    TradeForm(
        "coinbase",
        COINBASE_TRADE,
        scale("0.01", "0.00001"),
        "BTC-USD",
        b'{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66","taker_order_id":"132fb6ae","time":'
        b'"2026-04-07T14:30:00.123456Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}',
        [[40023, 523512, BUY, NOON, 10, 1]],
    ),
    TradeForm(
        "coinbase history",
        COINBASE_TRADE,
        scale("0.01", "0.00001"),
        "BTC-USD",
        b'{"type":"last_match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66","taker_order_id":"132fb6ae","time":'
        b'"2026-04-07T14:30:00.123456Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}',
        [],
    ),
    TradeForm(
        "coinbase advanced",
        COINBASE_ADVANCED_TRADE,
        scale("0.01", "0.00000001"),
        "BTC-USD",
        b'{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:03.1Z","sequence_num":5,"events":[{"type":"update",'
        b'"trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":"68900.50","size":"0.00150000","side":"BUY","time":'
        b'"2026-04-07T14:30:00.123456Z"}]}]}',
        [[6890050, 150_000, SELL, NOON, 995098700, 1]],
    ),
    TradeForm(
        "hyperliquid",
        HYPERLIQUID_TRADE,
        scale("0.1", "0.00001"),
        "BTC",
        b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"84143.0","sz":"0.00036","time":1790232216193,"hash":'
        b'"0x7ab656ce","tid":1045359869404765,"users":["0x9aa558af","0x82691970"]}]}',
        [[841430, 36, SELL, 1790232216193 * MILLISECOND, 1045359869404765, 1]],
    ),
    TradeForm(
        "deribit",
        DERIBIT_TRADE,
        scale("0.5", "10"),
        "BTC-PERPETUAL",
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":[{"timestamp":'
        b'1765531356452,"price":92288.5,"amount":750.0,"direction":"sell","index_price":92276.75,"instrument_name":"BTC-PERPETUAL",'
        b'"trade_seq":271252855,"mark_price":92287.11,"tick_direction":2,"contracts":75.0,"trade_id":"403691825"},{"timestamp":'
        b'1765531356452,"price":92288.5,"amount":2.2e3,"direction":"buy","instrument_name":"BTC-PERPETUAL","trade_seq":271252856,'
        b'"contracts":2.2e2,"block_trade_id":"BLOCK-1","trade_id":"403691826"}]}}',
        [
            [184577, 75, SELL, 1765531356452 * MILLISECOND, 271252855, 1],
            [184577, 220, BUY, 1765531356452 * MILLISECOND, 271252856, 0],
        ],
    ),
    TradeForm(
        "htx",
        HTX_TRADE,
        scale("0.1", "1"),
        "BTC-USDT",
        b'{"ch":"market.BTC-USDT.trade.detail","ts":1603708208346,"tick":{"id":131602265,"ts":1603708208335,"data":[{"amount":2,'
        b'"ts":1603708208335,"id":1316022650000,"price":13073.3,"direction":"buy","quantity":0.002,"trade_turnover":26.1466}]}}',
        [[130733, 2, BUY, 1603708208335 * MILLISECOND, 1316022650000, 1]],
    ),
    TradeForm(
        "kucoin",
        KUCOIN_TRADE,
        scale("0.1", "1"),
        "XBTUSDTM",
        b'{"T":"trade.FUTURES","P":1768218157098477768,"d":{"p":"90551.8","q":"12","s":"XBTUSDTM","S":"buy","E":1905973690439,'
        b'"ti":"1905973690439","rpi":false,"M":1768218157097000000}}',
        [[905518, 12, BUY, 1768218157097000000, 1905973690439, 1]],
    ),
    TradeForm(
        "gate",
        GATE_TRADE,
        scale("0.1", "1"),
        "BTC_USDT",
        b'{"channel":"futures.trades","event":"update","time":1541503698,"time_ms":1541503698123,"result":[{"id":27753479,'
        b'"contract":"BTC_USDT","create_time":1545136464,"create_time_ms":1545136464123,"price":"96.4","size":-108,'
        b'"is_internal":false},{"id":27753480,"contract":"BTC_USDT","create_time_ms":1545136464124,"price":"96.5","size":"7",'
        b'"is_internal":true}]}',
        [
            [964, 108, SELL, 1545136464123 * MILLISECOND, 27753479, 1],
            [965, 7, BUY, 1545136464124 * MILLISECOND, 27753480, 0],
        ],
    ),
    TradeForm(
        "bitget",
        BITGET_TRADE,
        scale("0.1", "0.00001"),
        "BTCUSDT",
        b'{"action":"update","arg":{"instType":"usdt-futures","topic":"publicTrade","symbol":"BTCUSDT"},"data":[{"p":"100000","S":"buy",'
        b'"T":"1736348770627","v":"0.00118","i":"1260903622036942849","L":"1234568787878787878","isRPI":"no"}],"ts":1736371104297}',
        [[1_000_000, 118, BUY, 1736348770627 * MILLISECOND, 1260903622036942849, 1]],
    ),
    TradeForm(
        "dydx",
        DYDX_TRADE,
        scale("1", "0.1"),
        "BTC-USD",
        b'{"type":"channel_data","connection_id":"c","message_id":3,"id":"BTC-USD","channel":"v4_trades","version":"1.0.0","contents":'
        b'{"trades":[{"id":"trade-002","side":"SELL","size":"1.2","price":"43248.0","type":"LIMIT","createdAt":'
        b'"2026-04-07T14:30:00.123Z","createdAtHeight":"12345678"},{"id":"2","side":"BUY","size":"2.5","price":"59900","type":'
        b'"DELEVERAGED","createdAt":"2026-04-07T14:30:00.123Z","createdAtHeight":"12345678"}]}}',
        [
            [43248, 12, SELL, NOON // 10**6 * 10**6, 0, 1],
            [59900, 25, BUY, NOON // 10**6 * 10**6, 0, 0],
        ],
    ),
    TradeForm(
        "binance spot",
        BINANCE_TRADE,
        scale("0.0001", "1"),
        "BNBBTC",
        b'{"stream":"bnbbtc@trade","data":{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.0010","q":"100","T":1672515782136,'
        b'"m":true,"M":true}}',
        [[10, 100, SELL, 1672515782136 * MILLISECOND, 12345, 1]],
    ),
    TradeForm(
        "bybit",
        BYBIT_TRADE,
        scale("0.1", "0.001"),
        "BTCUSDT",
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy",'
        b'"v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950","BT":false}]}',
        [[165785, 1, BUY, 1672304486865 * MILLISECOND, 0, 1]],
    ),
]  # fmt: skip
