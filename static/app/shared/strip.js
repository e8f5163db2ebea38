/**
 * The twisted pair under the head of every page: the blue strand is WebSocket, the orange one HTTP (SSE, long
 * poll). The strand in use is bright, each event is a bead on it, and while there is no connection the pair
 * is cut. It draws only while beads move; with reduced motion it is a still picture.
 */

/** @import { TransportName } from "../../client/index.js" */

const TRAVEL = 1_700; // milliseconds for a bead to cross
const BEADS_MAX = 60; // more would be a blur and cost frames
const LENGTH = 46; // pixels for one twist
const CUT = 34; // pixels of missing wire while disconnected

const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @typedef {ReturnType<typeof createStrip>} Strip */

/** Draw into `canvas`; returns { link(transport or null), bead(type) }. @param {HTMLCanvasElement} canvas */
export function createStrip(canvas) {
  const context = contextOf(canvas);
  /** @type {{ start: number, side: number, colour: string }[]} */
  const beads = [];
  /** @type {TransportName | null} */
  let transport = null;
  let colours = palette();
  let running = false;

  function size() {
    fitCanvas(canvas, context);
    draw(performance.now());
  }

  /** @param {number} now */
  function draw(now) {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    context.clearRect(0, 0, width, height);
    const onBlue = transport === "websocket";
    strand(context, width, height, 1, colours.blue, transport ? (onBlue ? 1 : 0.3) : 0.4);
    strand(context, width, height, -1, colours.orange, transport && !onBlue ? 1 : transport ? 0.3 : 0.4);
    if (!transport) context.clearRect(width / 2 - CUT / 2, 0, CUT, height);
    for (const bead of beads) {
      const x = ((now - bead.start) / TRAVEL) * (width + 12) - 6;
      dot(context, x, wave(x, height, bead.side), colours[bead.colour], colours.sheet);
    }
  }

  /** @param {number} now */
  function tick(now) {
    while (beads.length > 0 && now - beads[0].start > TRAVEL) beads.shift();
    draw(now);
    running = beads.length > 0;
    if (running) requestAnimationFrame(tick);
  }

  new ResizeObserver(size).observe(canvas);
  dark.addEventListener("change", () => {
    colours = palette();
    draw(performance.now());
  });

  return {
    /** @param {TransportName | null} name */
    link(name) {
      if (name === transport) return;
      transport = name;
      draw(performance.now());
    },
    /** @param {string} type */
    bead(type) {
      if (still.matches || document.hidden || beads.length >= BEADS_MAX) return;
      const side = transport === "websocket" ? 1 : -1;
      beads.push({ start: performance.now(), side, colour: beadColour(type) });
      if (running) return;
      running = true;
      requestAnimationFrame(tick);
    },
  };
}

/**
 * @param {number} x
 * @param {number} height
 * @param {number} side
 */
const wave = (x, height, side) => height / 2 + side * (height / 2 - 6) * Math.sin((x / LENGTH) * Math.PI);

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} side
 * @param {string} colour
 * @param {number} alpha
 */
function strand(context, width, height, side, colour, alpha) {
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  for (let x = -4; x <= width + 4; x += 4) context.lineTo(x, wave(x, height, side));
  context.stroke();
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 * @param {string} edge
 */
function dot(context, x, y, colour, edge) {
  context.beginPath();
  context.arc(x, y, 5, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = edge;
  context.stroke();
}

/** @param {string} type */
function beadColour(type) {
  if (type === "completion") return "green";
  if (type === "file_update") return "orange";
  return type === "log" ? "ink" : "blue";
}

/** What draws on it; a canvas without is a bug of the page. @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("the canvas is in use already");
  return context;
}

/**
 * Give the canvas a pixel for each one of the screen; what is drawn counts in CSS pixels all the same.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2D} context
 */
export function fitCanvas(canvas, context) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

/**
 * The colours of the style sheet, for the canvas; read again when the scheme changes.
 *
 * @returns {Record<string, string>}
 */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["blue", "orange", "green", "red", "ink", "ink-3", "rule", "rule-strong", "sheet", "sunk"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
