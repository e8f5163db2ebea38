/** Small helpers over the DOM. Text only ever enters a page through textContent: nothing here parses HTML. */

/**
 * What `h` makes of an element.
 *
 * @typedef {object} SpecialProps
 * @property {string} [text]
 * @property {string | null} [class]
 * @property {Record<string, string>} [dataset]
 * @property {Record<string, (event: any) => void>} [on]
 * @typedef {SpecialProps & Record<string, any>} Props
 */

/**
 * Make an element. `props` are attributes; `class`, `text`, `dataset` and `on` (listeners by type) are
 * special. A false, null or undefined attribute is left out; true sets it empty.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} props
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "on") for (const type of Object.keys(value)) node.addEventListener(type, value[type]);
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

/**
 * The element with this id, which is of `kind`; a page that lacks it is a bug, so it throws.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind]
 * @returns {T}
 */
export function byId(id, kind) {
  const node = document.getElementById(id);
  if (!(node instanceof (kind ?? HTMLElement))) throw new Error(`the page has no #${id} of this kind`);
  return /** @type {T} */ (node);
}

/**
 * Set text only when it differs: an unchanged write would still cost layout and wake screen readers.
 *
 * @param {HTMLElement} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set a data attribute only when it differs.
 *
 * @param {HTMLElement} node
 * @param {string} name
 * @param {string} value
 */
export function setData(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

/**
 * Show or hide an element.
 *
 * @param {HTMLElement} node
 * @param {boolean} visible
 */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/**
 * Put `fraction` (0-1) into a bar of two strands, for eyes and for screen readers.
 *
 * @param {HTMLElement} bar
 * @param {number} fraction
 * @param {string} status
 */
export function setBar(bar, fraction, status) {
  const value = Math.min(1, Math.max(0, fraction));
  bar.style.setProperty("--value", String(value));
  setData(bar, "status", status);
  const now = String(Math.round(value * 100));
  if (bar.getAttribute("aria-valuenow") !== now) bar.setAttribute("aria-valuenow", now);
}
