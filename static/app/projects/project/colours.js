/** Colours that programs choose, so that they can be read on the log's own grounds, light and dark. No DOM here. */

/** Text and its ground (WCAG 2.2, 1.4.3). */
const LEAST = 4.5;
/** Darker than any ground of a line on light, and lighter than any on dark (tokens.css). */
const GROUNDS = { light: "#e9dad5", dark: "#472523" };
const TOWARDS = { light: 0, dark: 255 };
/** Steps towards black or white. */
const STEPS = 20;
/** Colours that are worked out once. */
const KEPT_MAX = 1_000;

/** @typedef {{ light: string, dark: string }} Pair */

/** @type {Map<string, Pair>} */
const known = new Map();

/** @param {string} colour as #rrggbb */
const parts = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

/** @param {number[]} rgb each 0-255 */
export const hex = (rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** Relative, 0-1, as WCAG defines it. @param {number[]} rgb */
function luminance(rgb) {
  const [red, green, blue] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * @param {string} one
 * @param {string} other
 */
export function contrast(one, other) {
  const [dark, light] = [luminance(parts(one)), luminance(parts(other))].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** A colour of text as it is used in each scheme: nearer to black or white, as far as it takes. @param {string} colour */
export function legible(colour) {
  const kept = known.get(colour);
  if (kept) return kept;
  const pair = { light: towards(colour, "light"), dark: towards(colour, "dark") };
  if (known.size >= KEPT_MAX) known.clear();
  known.set(colour, pair);
  return pair;
}

/**
 * @param {string} colour
 * @param {"light" | "dark"} scheme
 */
function towards(colour, scheme) {
  const from = parts(colour);
  for (let step = 0; ; step += 1) {
    const mixed = from.map((part) => Math.round(part + ((TOWARDS[scheme] - part) * step) / STEPS));
    const text = hex(mixed);
    if (step === STEPS || contrast(text, GROUNDS[scheme]) >= LEAST) return text;
  }
}

/** Black or white: what can be read on this ground. @param {string} ground */
export const on = (ground) =>
  contrast("#000000", ground) >= contrast("#ffffff", ground) ? "#000000" : "#ffffff";
