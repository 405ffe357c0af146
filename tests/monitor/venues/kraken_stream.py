"""A made-up Kraken Futures book: a snapshot and single changes whose numbers have no hole."""

from __future__ import annotations

import random


def book_frames(symbol: str, count: int, seed: int = 20261122) -> list[bytes]:
    """A snapshot and `count - 1` changes around 90,000: new sizes, new levels, deletions."""
    draw = random.Random(seed)
    seq = 326_072_249
    sides = {
        "buy": {89_999 - n: draw.randint(1, 90_000) for n in range(40)},
        "sell": {90_001 + n: draw.randint(1, 90_000) for n in range(40)},
    }

    def rows(side: str) -> str:
        return ",".join(f'{{"price":{price},"qty":{lots / 10_000}}}' for price, lots in sides[side].items())

    frames = [
        f'{{"feed":"book_snapshot","product_id":"{symbol}","timestamp":1785076800000,"seq":{seq},"tickSize":null,'
        f'"bids":[{rows("buy")}],"asks":[{rows("sell")}]}}'
    ]
    for step in range(1, count):
        side = draw.choice(("buy", "sell"))
        price = draw.randint(89_900, 89_999) if side == "buy" else draw.randint(90_001, 90_100)
        lots = 0 if price in sides[side] and draw.random() < 0.4 else draw.randint(1, 90_000)
        sides[side][price] = lots
        frames.append(
            f'{{"feed":"book","product_id":"{symbol}","side":"{side}","seq":{seq + step},"price":{price}.0,"qty":{lots / 10_000},'
            f'"timestamp":{1785076800000 + step}}}'
        )
    return [frame.encode() for frame in frames]
