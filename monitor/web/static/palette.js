// Colours for amounts, sequential and readable by the colour-blind: viridis on a dark ground, ColorBrewer's YlGnBu on a light one.
// More is always further from the ground.

const DARK = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const LIGHT = ["#fbfcd0", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58"];
const STEPS = 256;

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function table(stops) {
  const colours = stops.map(channels);
  return Array.from({ length: STEPS }, (_, step) => {
    const place = (step / (STEPS - 1)) * (colours.length - 1);
    const low = Math.min(colours.length - 2, Math.floor(place));
    const mixed = colours[low].map((c, i) => Math.round(c + (colours[low + 1][i] - c) * (place - low)));
    return `rgb(${mixed.join(", ")})`;
  });
}

const TABLES = { dark: table(DARK), light: table(LIGHT) };

// The colour of an amount on a scale that ends at `top`: the square root, so that the small ones can be told from nothing.
export function colour(usd, top, theme) {
  const share = top > 0 ? Math.sqrt(Math.min(1, Math.max(0, usd / top))) : 0;
  return TABLES[theme][Math.round(share * (STEPS - 1))];
}

// Where a scale ends: the next 1, 2 or 5 above all but the largest hundredth, so that one bin does not darken the rest.
export function topOf(amounts) {
  const sorted = amounts.filter((x) => x > 0).sort((a, b) => a - b);
  if (sorted.length === 0) return 0;
  const wanted = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))];
  const unit = 10 ** Math.floor(Math.log10(wanted));
  return unit * [1, 2, 5, 10].find((step) => step * unit >= wanted * 0.999);
}
