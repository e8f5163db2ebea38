/** Sign in: a token that is pasted or scanned, or a link that holds a ticket, becomes the session's cookie. */

import { bearerOf } from "../../client/auth.js";
import { inWords, request, statusOf, url } from "../shared/api.js";
import { byId, h, setText, show } from "../shared/dom.js";
import { endSession, loadSession, tellTabs } from "../shared/who.js";

/** @import { Session } from "../shared/who.js" */

/** A token is three parts of base64url. */
const TOKEN = /[\w-]+\.[\w-]+\.[\w-]+/;
const TICKET = /#ticket=(tk_[\w-]+)/;

const form = byId("login", HTMLFormElement);
const field = byId("token", HTMLTextAreaElement);
const button = byId("login-button", HTMLButtonElement);

/** Where to go on: a page of this service alone, whatever the address says. */
function next() {
  const base = url("");
  try {
    const found = new URL(new URLSearchParams(location.search).get("next") ?? "", base);
    return found.origin === base.origin && found.pathname.startsWith(base.pathname)
      ? String(found)
      : String(base);
  } catch {
    return String(base);
  }
}

/** @param {string | null} words */
function fail(words) {
  const error = byId("login-error");
  show(error, words !== null);
  setText(error, words ?? "");
  field.toggleAttribute("aria-invalid", words !== null);
  if (words === null) field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
}

/** @param {unknown} error @param {string} what */
function explain(error, what) {
  if (statusOf(error) === 401)
    return `${what} is not valid: it may have expired, been used, or be for another service.`;
  if (statusOf(error) === 413) return "This token is too long for a cookie. Ask for one with fewer rights.";
  return inWords(error, "Signing in");
}

/**
 * @param {string} token
 */
async function signInWith(token) {
  const answer = await fetch(url("api/session"), {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    credentials: "same-origin",
  });
  if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
  tellTabs();
  location.replace(next());
}

/** @param {unknown} error */
const status = (error) => /** @type {{ status?: number }} */ (error).status ?? statusOf(error);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  fail(null);
  const linked = TICKET.exec(field.value);
  const token = TOKEN.exec(field.value)?.[0];
  if (!linked && !token) {
    fail("This is no token: a token has three parts with dots between them.");
    field.focus();
    return;
  }
  button.disabled = true;
  try {
    if (linked) await signInByLink(linked[1]);
    else await signInWith(token ?? "");
  } catch (error) {
    const refused = status(error) === 401 || status(error) === 413;
    fail(refused ? explainStatus(status(error)) : explain(error, "This token"));
    field.focus();
  } finally {
    button.disabled = false;
  }
});

/** @param {number} code */
const explainStatus = (code) =>
  code === 413
    ? "This token is too long for a cookie. Ask for one with fewer rights."
    : "This token is not valid: it may have expired, been revoked, or be for another service.";

/** @param {string} ticket */
async function signInByLink(ticket) {
  await loadSession(); // lets go of a session that is over: its cookie would be refused in place of the ticket
  await request("POST", "api/session", { body: { ticket } });
  tellTabs();
  location.replace(next());
}

/** @param {Session} session */
function drawSession(session) {
  show(byId("login-none"), !session.keys);
  show(form, session.keys);
  show(byId("login-known"), session.keys && bearerOf(session) !== null);
  setText(byId("login-who"), session.subject ?? "a nameless token");
}

byId("login-out").addEventListener("click", async () => {
  try {
    await endSession();
    tellTabs();
    drawSession(await loadSession());
    field.focus();
  } catch (error) {
    fail(inWords(error, "Signing out"));
  }
});

/**
 * Whoever has a token can send such a link: one who is somebody is not made somebody else without a word.
 *
 * @param {string} link
 */
function offer(link) {
  field.value = link;
  show(byId("login-link"), true);
  button.focus();
}

/** A picture of a code, where the browser can read one. */
function offerScan() {
  const Detector = /** @type {any} */ (globalThis).BarcodeDetector;
  if (!Detector) return;
  const input = h("input", { type: "file", accept: "image/*", capture: "environment", id: "scan" });
  byId("login-scan").append(h("label", { for: "scan", text: "Or scan its code" }), input);
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (!file) return;
    try {
      const [found] = await new Detector({ formats: ["qr_code"] }).detect(await createImageBitmap(file));
      if (!found) fail("There is no code in this picture.");
      else {
        field.value = found.rawValue;
        form.requestSubmit();
      }
    } catch (error) {
      fail(`The picture can't be read: ${error instanceof Error ? error.message : error}`);
    }
  });
}

async function start() {
  offerScan();
  const link = location.href;
  const ticket = TICKET.exec(location.hash)?.[1];
  if (ticket) history.replaceState(null, "", location.pathname + location.search); // at once: it is a secret
  try {
    const session = await loadSession();
    if (ticket && bearerOf(session) === null) {
      await signInByLink(ticket);
      return;
    }
    drawSession(session);
    if (ticket) offer(link);
  } catch (error) {
    if (!ticket) {
      fail(inWords(error, "Asking who you are"));
      show(form, true);
      return;
    }
    drawSession(await loadSession());
    fail(explain(error, "This link"));
  }
}

await start();
