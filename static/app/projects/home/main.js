/** The home page: what is there, what happens, and a form to begin something. */

import { connect } from "../../../client/index.js";
import { TwinwireError } from "../../../client/errors.js";
import { inWords } from "../../shared/api.js";
import { isAfter } from "../../shared/cursor.js";
import { byId } from "../../shared/dom.js";
import { createPage, loadPatiently } from "../../shared/page.js";
import { projects } from "../api.js";
import { createFeed } from "./activity.js";
import { createForm } from "./create.js";
import { createList } from "./projects.js";
import { hasShape } from "../shape.js";

/** @import { Stream } from "../../../client/index.js" */
/** @import { ProjectEvent, ProjectEvents } from "../types.js" */

const WANTED = ["projects", "projects/**"];
/** Events of the past that the feed starts with; many of them are progress and get no line. */
const PAST = 300;

/** @type {string | null} */
let base = null; // the position that the list includes: events up to it are told already
const page = createPage();
const list = createList();
const feed = createFeed(list.name);
/** What of that one may read: of some projects alone, perhaps. @type {string[]} */
let topics = WANTED;
createForm((project) => {
  location.href = `project.html?id=${encodeURIComponent(project.id)}`;
});

/** The list, and the past up to it; what came after the list is left to the stream. */
async function load() {
  const listing = await projects.list();
  topics = await page.who.readable(WANTED, "projects");
  const past =
    topics.length > 0 ? await projects.past({ topics, order: "desc", limit: PAST }) : { events: [] };
  list.load(listing);
  feed.clear();
  for (const event of past.events.reverse()) {
    if (!isAfter(event.id, listing.cursor)) feed.add(event);
  }
  base = listing.cursor;
}

const reload = () => loadPatiently(load, "Loading the projects", page.notice);

/**
 * A row at once, from the event; what the event does not tell is fetched. Status comes by events alone, in
 * order.
 *
 * @param {{ id: string, name: string }} project
 * @param {string} created
 */
async function addProject({ id, name }, created) {
  list.add({ id, name, created, status: "idle", progress: 0 });
  try {
    const { brief } = await projects.get(id);
    list.fill(id, { brief });
  } catch {
    // Deleted again, or the server went away: the next event or the next load tells.
  }
}

/**
 * An event says that a project was deleted: the server has the last word.
 *
 * @param {string} id
 */
async function removeProject(id) {
  try {
    await projects.get(id);
  } catch (error) {
    if (error instanceof TwinwireError && error.status === 404) list.remove(id);
  }
}

byId("list-more").addEventListener("click", async () => {
  try {
    list.append(await projects.list(list.last()));
  } catch (error) {
    page.toast(inWords(error, "Loading older projects"), "error");
  }
});

/** @param {ProjectEvent} event */
function receive(event) {
  if (!isAfter(event.id, base) || !hasShape(event)) return;
  const { type, topic, data } = event;
  if (type === "project_created" && topic === "projects") addProject(data, event.time);
  if (type === "status_update") {
    const { status, progress, message } = data;
    list.fill(topic.split("/")[1], { status, progress, message });
  }
  if (type === "completion")
    page.say(`${list.name(topic.split("/")[1]) ?? "A project"}: ${data.message || data.status}`);
  feed.add(event);
  if (type === "project_deleted" && topic === "projects") removeProject(data.id);
}

await reload();
page.who.limit({
  button: byId("create-button", HTMLButtonElement),
  op: "publish",
  topic: "projects",
  reason: "You may look, but not create projects: that takes the right to publish to “projects”.",
});
/** @type {Stream<ProjectEvents>} */
const stream = connect({ topics, after: base });
page.watch(stream);
stream.on("*", (message) => (message.topic !== undefined ? receive(message) : reload()));
