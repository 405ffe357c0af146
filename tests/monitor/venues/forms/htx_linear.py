"""HTX linear swaps: its own words, for the tests that every venue passes."""

from __future__ import annotations

from typing import Any

import orjson


def acks(asked: dict[str, Any]) -> list[bytes]:
    """Two protocols: notifications answer in their own."""
    if "op" in asked:
        return [orjson.dumps({**asked, "ts": 1790135117894, "err-code": 0})]
    op = "sub" if "sub" in asked else "unsub"
    return [orjson.dumps({"id": asked["id"], "status": "ok", f"{op}bed": asked[op], "ts": 1790134045107})]


PONGS: list[bytes] = []  # the venue pings, in the application layer
REFUSAL = (
    b'{"status":"error","ts":1790134831753,"id":"4","err-code":"bad-request",'
    b'"err-msg":"invalid topic market.NOPE-USDT.depth.size_150.high_freq"}'
)

GOOD: list[tuple[str, bytes]] = [
    (
        "market.BTC-USDT.depth.size_150.high_freq",
        b'{"ch":"market.BTC-USDT.depth.size_150.high_freq","ts":1790134831753,"tick":{"asks":[[86859.9,817],[86864.5,14]],'
        b'"bids":[[86859.8,6172],[86858.5,147]],"ch":"market.BTC-USDT.depth.size_150.high_freq","event":"snapshot",'
        b'"id":100129125618870,"mrid":100129125618870,"ts":1790134831749,"version":1789895280797}}',
    ),
    (
        "market.BTC-USDT.depth.size_150.high_freq",
        b'{"ch":"market.BTC-USDT.depth.size_150.high_freq","ts":1790134831873,"tick":{"asks":[],"bids":[[86853.4,2],[86848.5,0]],'
        b'"ch":"market.BTC-USDT.depth.size_150.high_freq","event":"update","id":100129125618998,"mrid":100129125618998,'
        b'"ts":1790134831871,"version":1789895280798}}',
    ),
    (
        "market.BTC-USDT.trade.detail",
        b'{"ch":"market.BTC-USDT.trade.detail","ts":1790134832346,"tick":{"id":131602265,"ts":1790134832335,"data":[{"amount":2,'
        b'"quantity":0.002,"trade_turnover":173.7196,"ts":1790134832335,"id":1316022650000,"price":86859.8,"direction":"buy"}]}}',
    ),
    (
        "market.BTC-USDT.mark_price.1min",
        b'{"ch":"market.BTC-USDT.mark_price.1min","ts":1790134832001,"tick":{"id":1790134800,"open":"86850.1","close":"86859.7",'
        b'"high":"86861","low":"86849.9","amount":"0","vol":"0","count":"0"}}',
    ),
    (
        "market.BTC-USDT.index.1min",
        b'{"ch":"market.BTC-USDT.index.1min","ts":1790134832003,"tick":{"id":1790134800,"open":"86880.1","close":"86881.55",'
        b'"high":"86890","low":"86879.9","amount":"0","vol":"0","count":"0"}}',
    ),
    (
        "public.*.liquidation_orders",
        b'{"op":"notify","topic":"public.SOL-USDT.liquidation_orders","ts":1790135117217,"data":[{"symbol":"SOL",'
        b'"contract_code":"SOL-USDT","direction":"sell","offset":"close","volume":12,"price":141.27,"created_at":1790135117212,'
        b'"amount":12,"trade_turnover":1695.24,"contract_type":"swap","pair":"SOL-USDT","business_type":"swap",'
        b'"trade_partition":"USDT"}]}',
    ),
    (
        "public.*.contract_info",
        b'{"op":"notify","topic":"public.SOL-USDT.contract_info","ts":1790135117300,"event":"update","data":[{"symbol":"SOL",'
        b'"contract_code":"SOL-USDT","contract_size":1,"price_tick":0.001,"contract_status":3,"settlement_period":"8"}]}',
    ),
    (
        "public.BTC-USDT.funding_rate",
        b'{"op":"notify","topic":"public.BTC-USDT.funding_rate","ts":1790135117894,"data":[{"symbol":"BTC",'
        b'"contract_code":"BTC-USDT","fee_asset":"USDT","funding_time":"1790135110000","funding_rate":"0.000064355479737646",'
        b'"estimated_rate":null,"settlement_time":"1790150400000","trade_partition":"USDT"}]}',
    ),
    (
        "rest:instruments",
        b'{"status":"ok","data":[{"symbol":"BTC","contract_code":"BTC-USDT","contract_size":0.001,"price_tick":0.1,'
        b'"contract_status":1,"settlement_period":"8","settlement_date":"1790150400000","support_margin_mode":"all",'
        b'"business_type":"swap","pair":"BTC-USDT","contract_type":"swap","trade_partition":"USDT","tradfi_labels":[]}],'
        b'"ts":1790134831953}',
    ),
    (
        "rest:poll:open_interest",
        b'{"status":"ok","data":[{"volume":3063121,"amount":3063.121,"symbol":"BTC","value":266062045.5,'
        b'"contract_code":"BTC-USDT","business_type":"swap"}],"ts":1790134831953}',
    ),
    (
        "rest:poll:margin_tiers",
        b'{"status":"ok","data":[{"symbol":"BTC","contract_code":"BTC-USDT","margin_mode":"cross","list":[{"lever_rate":100,'
        b'"ladders":[{"ladder":0,"min_size":0,"max_size":9999,"adjust_factor":0.5},{"ladder":1,"min_size":10000,"max_size":null,'
        b'"adjust_factor":1.0}]}]}],"ts":1790134831953}',
    ),
    (
        "rest:poll:status",
        b'{"status":"ok","data":{"heartbeat":1,"estimated_recovery_time":null,"linear_swap_heartbeat":0,'
        b'"linear_swap_estimated_recovery_time":1790140000000},"ts":1557714418033}',
    ),
]
