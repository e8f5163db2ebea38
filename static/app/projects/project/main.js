/** The project page: a snapshot, then every event after it. */

import { byId, setText } from "../../shared/dom.js";
import { statusOf } from "../../shared/api.js";
import { createPage, LOAD_AGAIN, loadPatiently, OTHER_LOG } from "../../shared/page.js";
import { loadProject, ProjectPage } from "./page.js";
import { withQuestions } from "./questions.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
const page = createPage();

/**
 * @param {string} title
 * @param {string} text
 */
function showMissing(title, text) {
  document.title = `${title} · Twinwire`;
  setText(byId("missing-title"), title);
  setText(byId("missing-text"), text);
  byId("project").hidden = true;
  byId("missing").hidden = false;
  page.unplug(); // nothing is connected, nor will be
  page.notice(null);
  page.say(title);
}

const absent = () =>
  showMissing("No such project", "There is no project at this address. It may have been deleted.");
const deleted = () =>
  showMissing(
    "This project was deleted",
    "It was deleted while it was open here. Its files and its history went with it.",
  );

const notHere = () => {
  showMissing(
    "Not in this database",
    `${OTHER_LOG} This project is not in it, which does not mean that it was deleted.`,
  );
  page.notice("Once the right database is back, load this page again.", "warn", LOAD_AGAIN);
};

/** The project, however long the server is away; null if it does not exist. */
async function load() {
  try {
    return await loadPatiently(
      () => loadProject(id),
      "Loading the project",
      page,
      (error) => statusOf(error) === 404,
    );
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
}

async function start() {
  if (id === "") {
    showMissing("No project chosen", "This address names no project. Choose one from the list.");
    return;
  }
  const loaded = await load();
  if (loaded === null) {
    absent();
    return;
  }
  const own = `projects/${id}`;
  const topics = await page.who.readable([own, "projects"], own);
  new ProjectPage(loaded, { page: withQuestions(id, page), topics, load, deleted, notHere });
}

await start();
