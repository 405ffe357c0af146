// What a sale (or a purchase) of any size would do, from the curves of /cascade: models.md 4.1, first passage. No drawing here.

// curves: move_ratio, absorption_base, liquidations_base, by node. The cost of taking up to each node out of the books, in USD.
function worth({ move_ratio: moves, absorption_base: book }, price, direction) {
  const sign = direction === "down" ? -1 : 1;
  const usd = [0];
  for (let i = 1; i < moves.length; i += 1) {
    const mean = (moves[i - 1] + moves[i]) / 2;
    usd.push(usd[i - 1] + price * (1 + sign * mean) * (book[i] - book[i - 1]));
  }
  return usd;
}

// USD of an order of so many coins, if the books alone took it.
function worthOf(base, { move_ratio: moves, absorption_base: book }, usd, price, direction) {
  const sign = direction === "down" ? -1 : 1;
  let i = 1;
  while (i < book.length - 1 && book[i] < base) i += 1;
  const rest = base - book[i - 1];
  const share = book[i] > book[i - 1] ? Math.min(1, rest / (book[i] - book[i - 1])) : 0;
  const mean = moves[i - 1] + ((moves[i] - moves[i - 1]) * share) / 2;
  return usd[i - 1] + price * (1 + sign * mean) * rest;
}

// Points {base, usd, move} along which growing orders move the price; two of one size are a jump. `scaling`: of the map, 0 for the
// order alone. Beyond the last point nothing within the range stops the price.
export function response(curves, price, direction, scaling) {
  const { move_ratio: moves, absorption_base: book, liquidations_base: forced } = curves;
  const usd = worth(curves, price, direction);
  const point = (base, move) => ({ base, usd: worthOf(base, curves, usd, price, direction), move });
  const points = [point(0, 0)];
  let best = 0;
  for (let i = 1; i < moves.length; i += 1) {
    const [before, after] = [i - 1, i].map((n) => book[n] - scaling * forced[n]);
    if (!(after > best)) continue;
    if (before < best) {
      const share = (best - before) / (after - before);
      points.push(point(best, moves[i - 1] + (moves[i] - moves[i - 1]) * share));
    }
    points.push(point(after, moves[i]));
    best = after;
  }
  return points;
}

// Where an order lands; null: nothing within the range stops it. `unit`: "usd" or "base".
export function landing(points, size, unit = "usd") {
  const i = points.findIndex((p) => p[unit] >= size);
  if (i < 0) return null;
  if (i === 0) return points[0].move;
  const [low, high] = [points[i - 1], points[i]];
  const share = high[unit] > low[unit] ? (size - low[unit]) / (high[unit] - low[unit]) : 0;
  return low.move + (high.move - low.move) * share;
}
