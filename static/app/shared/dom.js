/** Small helpers over the DOM. Text only ever enters a page through textContent: nothing here parses HTML. */

/**
 * Make an element. `props` are attributes; `class`, `text`, `dataset` and `on` (listeners by type) are
 * special. A false, null or undefined attribute is left out; true sets it empty.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "on") for (const [type, fn] of Object.entries(value)) node.addEventListener(type, fn);
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The element with this id; a page that lacks it is a bug, so it throws. */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return node;
}

/** Set text only when it differs: an unchanged write would still cost layout and wake screen readers. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a data attribute only when it differs. */
export function setData(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

/** Show or hide an element. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Put `fraction` (0-1) into a bar of two strands, for eyes and for screen readers. */
export function setBar(bar, fraction, status) {
  const value = Math.min(1, Math.max(0, fraction));
  bar.style.setProperty("--value", String(value));
  setData(bar, "status", status);
  const now = String(Math.round(value * 100));
  if (bar.getAttribute("aria-valuenow") !== now) bar.setAttribute("aria-valuenow", now);
}
