/** The home page: what is there, what happens, and a form to begin something. */

import { connect } from "../../../client/index.js";
import { TwinwireError } from "../../../client/errors.js";

import { isAfter } from "../../shared/cursor.js";
import { byId } from "../../shared/dom.js";
import { createPage, loadPatiently, tellOtherLog } from "../../shared/page.js";
import { projects } from "../api.js";
import { createFeed } from "./activity.js";
import { createForm } from "./create.js";
import { readPast } from "./past.js";
import { createList, wantedBy } from "./projects.js";
import { Since } from "../project/since.js";
import { createTabs } from "./tabs.js";
import { hasShape } from "../shape.js";

/** @import { GapFrame, Stream } from "../../../client/index.js" */
/** @import { ProjectEvent, ProjectEvents } from "../types.js" */

const WANTED = ["projects", "projects/**"];
/** Projects that are there at first; the rest comes when somebody asks for it, or looks for something. */
const FIRST = 20;
/** Projects that are looked through, at most. */
const SEARCHED_MAX = 2_000;
/** Events that are kept to fill the feed again. */
const LIVE_MAX = 200;

/** @type {string | null} */
let base = null; // the position that the list includes: events up to it are told already
createTabs();
const page = createPage();
const logs = byId("feed-logs", HTMLInputElement);
const list = createList();
const feed = createFeed(list.name);
/** What came last; some of it may have come while the past was read. @type {ProjectEvent[]} */
const live = [];
/** What of that one may read: of some projects alone, perhaps. @type {string[]} */
let topics = WANTED;
createForm((project) => {
  location.href = `project.html?id=${encodeURIComponent(project.id)}`;
});

/** The list at a position, and what comes after it, also while it is loaded again. */
const since = new Since(apply);

/** The list, and what happened before. The stream goes on from the list: what the feed has already, it leaves out. */
async function load() {
  const read = async () => {
    const listing = await projects.list(null, FIRST);
    topics = await page.who.readable(WANTED, "projects");
    return listing;
  };
  await since.load(read, (listing) => {
    list.load(listing);
    base = listing.cursor;
  });
  filter();
  await fillFeed();
}

async function fillFeed() {
  const past = topics.length > 0 ? await readPast(projects.past, topics, logs.checked) : [];
  feed.clear();
  for (const event of [...past, ...live]) feed.add(event);
}

const reload = () => loadPatiently(load, "Loading the projects", page);
/** @param {GapFrame} gap */
async function reset(gap) {
  live.length = 0;
  await reload();
  tellOtherLog(page, gap);
}
const refill = () => loadPatiently(fillFeed, "Loading what happened", page);

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

/** @type {Promise<boolean> | null} */
let appending = null;

/** A page of older projects, one at a time. False if the list was loaded anew meanwhile: the page would leave a hole. */
const appendOlder = () => (appending ??= append().finally(() => (appending = null)));

async function append() {
  const last = list.last();
  const listing = await projects.list(last);
  if (list.last() !== last) return false;
  list.append(listing);
  for (const event of live) if (isAfter(event.id, listing.cursor)) update(event);
  return listing.projects.length > 0;
}

byId("list-more").addEventListener("click", async () => {
  try {
    await appendOlder();
  } catch (error) {
    page.toast.failed(error, "Loading older projects");
  }
});

/** A filter is for all projects, and not for those that happen to be there. */
async function filter() {
  const text = byId("list-search", HTMLInputElement).value.trim();
  const status = byId("list-status", HTMLSelectElement).value;
  list.filter(wantedBy(text, status));
  if (text === "" && status === "") return;
  try {
    while (list.lacks(SEARCHED_MAX) && (await appendOlder()));
  } catch (error) {
    page.toast.failed(error, "Looking through older projects");
  }
}
byId("list-search").addEventListener("input", filter);
byId("list-status").addEventListener("change", filter);

/** What an event says of a project that is listed. @param {ProjectEvent} event */
function update({ type, topic, data }) {
  const id = topic.split("/")[1];
  if (type === "run_update") list.told(id, data);
  if (type !== "status_update") return;
  const { status, progress, message } = data;
  list.fill(id, { status, progress, message });
}

/** What an event changes in the list. @param {ProjectEvent} event */
function apply(event) {
  const { type, topic, data, time } = event;
  if (type === "project_created" && topic === "projects") addProject(data, time);
  update(event);
  if (type === "project_deleted" && topic === "projects") removeProject(data.id);
}

/** @param {ProjectEvent} event */
function receive(event) {
  if (event.type === "run_output" || event.type === "output") return; // a page of its own shows it
  if (!isAfter(event.id, base) || !hasShape(event)) return;
  const { type, topic, data } = event;
  since.receive(event);
  if (type === "completion")
    page.say(`${list.name(topic.split("/")[1]) ?? "A project"}: ${data.message || data.status}`);
  live.push(event);
  if (live.length > LIVE_MAX) live.shift();
  feed.add(event);
}

logs.addEventListener("change", refill);

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
stream.on("*", (message) => (message.topic !== undefined ? receive(message) : reset(message)));
