// Figures as people in the field write them. null means unknown and gives null: the caller decides how unknown looks.

const SCALES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];

const known = (x) => typeof x === "number" && Number.isFinite(x);

export function usd(x) {
  if (!known(x)) return null;
  const sign = x < 0 ? "-" : "";
  const size = Math.abs(x);
  for (const [scale, letter] of SCALES) {
    // 999,600 would read $1000K: what rounds up to the next letter takes it
    if (size >= scale * 0.9995) {
      const scaled = size / scale;
      return `${sign}$${scaled.toFixed(scaled < 99.95 ? 1 : 0)}${letter}`;
    }
  }
  return `${sign}$${size.toFixed(size >= 100 || size === 0 ? 0 : 2)}`;
}

export function percent(ratio) {
  if (!known(ratio)) return null;
  const x = ratio * 100;
  const size = Math.abs(x);
  if (size === 0) return "0%";
  if (size >= 9.95) return `${x.toFixed(0)}%`;
  if (size >= 0.995) return `${x.toFixed(1)}%`;
  const digits = Math.min(8, 1 - Math.floor(Math.log10(size)));
  return `${x.toFixed(digits)}%`;
}

export function price(x) {
  if (!known(x)) return null;
  const size = Math.abs(x);
  if (size >= 1000) return x.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  if (size >= 1) return x.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  return x.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

// A price of which only so much is meant.
export function rounded(x, digits = 5) {
  return known(x) ? price(Number(x.toPrecision(digits))).replace(/\.00$/, "") : null;
}

export function seconds(x) {
  if (!known(x)) return null;
  if (x < 0) return "0 ms";
  if (x < 0.9995) return `${Math.round(x * 1000)} ms`;
  if (x < 59.95) return `${x.toFixed(1)} s`;
  if (x < 3570) return `${Math.round(x / 60)} min`;
  return `${(x / 3600).toFixed(x < 35_970 ? 1 : 0)} h`;
}

export const clock = (text) => (text ? `${text.slice(11, 19)} UTC` : null);

export const day = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : null);

export const words = (text) => String(text ?? "").replaceAll("_", " ");
