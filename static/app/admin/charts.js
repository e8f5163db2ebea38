/** Small charts of the last minutes, as SVG: a line for each series, the newest value in words beside it. */

import { h, setText } from "../shared/dom.js";

/** Samples that a chart keeps: five minutes of one every two seconds. */
const SAMPLES = 150;
/** The drawing's own units; it is stretched to the width that there is. */
const WIDTH = 300;
const HEIGHT = 80;
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {string[]} series their names, in the order of their values
 * @property {(value: number) => string} format
 */

/** @typedef {ReturnType<typeof createChart>} Chart */

/**
 * @param {keyof SVGElementTagNameMap} tag
 * @param {Record<string, string>} attributes
 */
function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/**
 * The points of one line; a value that is null leaves a hole, so there may be several.
 *
 * @param {(number | null)[]} values the newest last
 * @param {number} top what is drawn at the upper edge
 * @returns {string} a path
 */
export function pathOf(values, top) {
  const first = SAMPLES - values.length;
  let isDrawing = false;
  return values
    .map((value, index) => {
      if (value === null) {
        isDrawing = false;
        return "";
      }
      const x = ((first + index) / (SAMPLES - 1)) * WIDTH;
      const y = HEIGHT - (top > 0 ? value / top : 0) * HEIGHT;
      const letter = isDrawing ? "L" : "M";
      isDrawing = true;
      return `${letter}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

/**
 * The next round number: 1, 2 or 5 times a power of ten.
 *
 * @param {number} value
 */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

/**
 * A chart in `place`; `add(values)` draws one more sample, null for what is not known.
 *
 * @param {HTMLElement} place
 * @param {ChartOptions} options
 */
export function createChart(place, { title, series, format }) {
  /** @type {(number | null)[][]} */
  const samples = series.map(() => []);
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    class: "chart__drawing",
    role: "img",
    "aria-label": `${title}: nothing yet`,
  });
  const lines = series.map((_, index) => {
    const line = svg("path", { class: "chart__line", "data-series": String(index) });
    drawing.append(line);
    return line;
  });
  const newest = series.map(() => h("dd", { class: "num", text: "–" }));
  const names = series.map((name, index) => h("dt", { dataset: { series: String(index) }, text: name }));
  const most = h("span", { class: "chart__most num", "aria-hidden": "true" });
  place.append(
    h(
      "figure",
      { class: "chart" },
      h("figcaption", {}, h("h3", { text: title })),
      h("dl", { class: "chart__values" }, ...series.flatMap((_, index) => [names[index], newest[index]])),
      h("div", { class: "chart__frame" }, most, drawing),
    ),
  );
  /** @param {number | null} value */
  const words = (value) => (value === null ? "–" : format(value));
  return {
    /** @param {(number | null)[]} values */
    add(values) {
      values.forEach((value, index) => {
        samples[index].push(value);
        if (samples[index].length > SAMPLES) samples[index].shift();
        setText(newest[index], words(value));
      });
      const top = roundUp(Math.max(0, ...samples.flat().map((value) => value ?? 0)));
      setText(most, format(top));
      lines.forEach((line, index) => line.setAttribute("d", pathOf(samples[index], top)));
      const told = series.map((name, index) => `${name} ${words(values[index])}`).join(", ");
      drawing.setAttribute("aria-label", `${title} over the last minutes, now: ${told}`);
    },
  };
}
