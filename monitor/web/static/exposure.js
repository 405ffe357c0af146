// The exposure map as data: columns of bins, each at distances from the price of its own time. No drawing here.

const SHOWN_FOR = 90_000; // a column is one minute; beyond this nothing is known until the next

// A column: {at: ms, price, long, short}; null where the price is not known, which leaves it without a place.
export function column({ at, price_usd: price, long, short }) {
  const when = Date.parse(at);
  return Number.isFinite(when) && price > 0 && Array.isArray(long) && Array.isArray(short) ? { at: when, price, long, short } : null;
}

// Until when a column counts.
export const until = (columns, i, now) => Math.min(columns[i].at + SHOWN_FOR, i + 1 < columns.length ? columns[i + 1].at : now);

// The column of a moment, or null where none counts.
export function columnAt(columns, moment, now) {
  let [low, high] = [0, columns.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (columns[middle].at <= moment) low = middle + 1;
    else high = middle;
  }
  return low > 0 && moment < until(columns, low - 1, now) ? columns[low - 1] : null;
}

// Bins are numbered outwards from the price: -1 the nearest of the longs, +1 the nearest of the shorts.
export function binAt({ price }, level, ratio) {
  const steps = (level / price - 1) / ratio;
  return steps < 0 ? Math.floor(steps) : Math.floor(steps) + 1;
}

// What is in a bin; undefined beyond the last one.
export const amount = ({ long, short }, bin) => (bin < 0 ? long[-bin - 1] : short[bin - 1]);

// The prices a bin lies between, lower first.
export function edges({ price }, bin, ratio) {
  const low = bin < 0 ? bin : bin - 1;
  return [price * (1 + low * ratio), price * (1 + (low + 1) * ratio)];
}

export const bins = ({ long, short }) => [
  ...long.map((usd, i) => [-i - 1, usd]),
  ...short.map((usd, i) => [i + 1, usd]),
];

// The bin that holds most, as [bin, usd]; null when nothing holds anything.
export function largest(col) {
  const found = bins(col).reduce((best, bin) => (bin[1] > best[1] ? bin : best), [0, 0]);
  return found[1] > 0 ? found : null;
}
