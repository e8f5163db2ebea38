/** The list of projects: loaded once, then kept true by events. */

import { byId, h, setBar, setText, show } from "../../shared/dom.js";
import { ago, count, plural } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { hasWords, wordsOf } from "../../shared/words.js";
import { byWhom } from "../project/run-words.js";
import { isActive, stateOf } from "../project/runs-model.js";

/** @import { Listing, Project, Run } from "../types.js" */

/** Ages in the list are looked at again this often, milliseconds. */
const AGE_EVERY = 30_000;

/** A list of so many needs no filter. */
const FEW = 8;

/** @typedef {ReturnType<typeof wantedBy>} Wanted */
/** @typedef {ReturnType<typeof buildRow>} Entry */

export function createList() {
  const list = byId("projects");
  /** By id, in no order; the order is that of the DOM. @type {Map<string, Entry>} */
  const rows = new Map();
  let loaded = false;
  let more = false;
  const wanted = wantedBy("", "");

  const render = batched(() => {
    const entries = [...rows.values()];
    for (const entry of entries) renderRow(entry, wanted);
    if (loaded) renderHead(entries, more, isFiltered(wanted));
  });

  ageing(rows, render);

  /** @param {Project} project @param {"append" | "prepend"} place */
  function add(project, place) {
    const entry = rows.get(project.id) ?? buildRow(project);
    entry.project = { ...entry.project, ...project };
    entry.stale = true;
    rows.set(project.id, entry);
    if (!entry.row.isConnected) list[place](entry.row);
    render();
  }

  return {
    /** Replace everything by the answer of GET api/projects, newest first. @param {Listing} listing */
    load(listing) {
      rows.clear();
      list.replaceChildren();
      this.append(listing);
    },
    /** Add a page of older projects at the end. @param {Listing} listing */
    append(listing) {
      loaded = true;
      more = listing.more;
      for (const project of listing.projects) add(project, "append");
      render();
    },
    /** Whether there are older ones that are not in the list, of so many at most. @param {number} most */
    lacks: (most) => more && rows.size < most,
    /** Show those alone. @param {Wanted} next */
    filter: (next) => (Object.assign(wanted, next), render()),
    /** The id of the last project of the list, or null. */
    last: () => list.lastElementChild?.getAttribute("data-id") ?? null,
    /** @param {Project} project */
    add: (project) => add(project, "prepend"),
    /** @param {string} id */
    remove(id) {
      rows.get(id)?.row.remove();
      rows.delete(id);
      render();
    },
    /** Set some fields of a project that is still listed. @param {string} id @param {Partial<Project>} fields */
    fill(id, fields) {
      const entry = rows.get(id);
      if (!entry) return;
      Object.assign(entry.project, fields);
      entry.stale = true;
      render();
    },
    /** A run has changed. @param {string} id @param {Run} run */
    told(id, run) {
      if (tellsOf(rows.get(id)?.project, run)) this.fill(id, { run });
    },
    /** @param {string} id */
    name: (id) => rows.get(id)?.project.name ?? null,
  };
}

/**
 * What is said of times is not true for ever.
 *
 * @param {Map<string, Entry>} rows
 * @param {() => void} render
 */
function ageing(rows, render) {
  setInterval(() => {
    for (const entry of rows.values()) entry.stale = true;
    render();
  }, AGE_EVERY);
}

/**
 * Whether the row of a project tells of this run: the newest one of the kind that the project is for.
 *
 * @param {Project | undefined} project
 * @param {Run} run
 */
function tellsOf(project, run) {
  if (project === undefined) return false;
  const isOfKind = project.brief === undefined || (project.brief === null) === (run.kind === "command");
  return isOfKind && run.number >= (project.run?.number ?? 0);
}

/** @param {Project} project */
function buildRow(project) {
  const href = `project.html?id=${encodeURIComponent(project.id)}`;
  const parts = {
    name: h("a", { href, dir: "auto" }),
    status: h("span", { class: "badge" }),
    brief: h("p", { class: "project__brief", dir: "auto" }),
    made: h("span", { class: "project__made" }),
    bar: h("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }),
    percent: h("span", { class: "project__percent num" }),
    message: h("p", { class: "project__message", dir: "auto" }),
  };
  const line = h("div", { class: "project__line" }, parts.bar, parts.percent);
  const title = h("h3", { class: "project__name" }, parts.name);
  const body = h(
    "div",
    { class: "project" },
    title,
    parts.status,
    parts.brief,
    parts.made,
    line,
    parts.message,
  );
  return { project, parts, row: h("li", { dataset: { id: project.id } }, body), stale: true };
}

/**
 * Those whose name or brief has every word, and that have this status; "" for any.
 *
 * @param {string} text
 * @param {string} status
 */
export const wantedBy = (text, status) => ({
  words: wordsOf(text),
  status,
});

/** @param {Wanted} wanted */
const isFiltered = ({ words, status }) => words.length > 0 || status !== "";

/**
 * @param {Project} project
 * @param {Wanted} wanted
 */
function isWanted({ name, brief, status, run }, { words, status: only }) {
  const isOfStatus = only === "" || status === only || (only === "running" && isActive({ status }));
  return isOfStatus && hasWords(`${name} ${brief ?? run?.command ?? ""}`, words);
}

/**
 * @param {Entry[]} entries
 * @param {boolean} more
 * @param {boolean} filtered
 */
function renderHead(entries, more, filtered) {
  const active = entries.filter(({ project }) => isActive({ status: shownStatus(project) })).length;
  const total = `${more ? "the newest " : ""}${plural(entries.length, "project")}`;
  const shown = entries.filter(({ row }) => !row.hidden).length;
  const words = active ? `${total}, ${count(active)} running` : total;
  setText(byId("list-count"), filtered ? `${count(shown)} of ${total}` : words);
  show(byId("list-more"), more);
  show(byId("list-filter"), filtered || more || entries.length > FEW);
  byId("projects-empty").removeAttribute("data-loading");
  setText(
    byId("projects-empty"),
    entries.length > 0
      ? `None of ${total} matches this filter.`
      : "No projects yet. Create one: an example brief is a click away.",
  );
  show(byId("projects-empty"), shown === 0);
}

/**
 * @param {Entry} entry
 * @param {Wanted} wanted
 */
function renderRow(entry, wanted) {
  const { project, parts } = entry;
  show(entry.row, isWanted(project, wanted));
  if (!entry.stale) return;
  entry.stale = false;
  setText(parts.name, project.name);
  const state = shownStatus(project);
  setText(parts.status, state);
  parts.status.dataset.status = state;
  setText(parts.brief, whatWords(project));
  setText(parts.made, madeWords(project));
  parts.bar.setAttribute("aria-label", `Progress of ${project.name}`);
  setBar(parts.bar, (project.progress ?? 0) / 100, project.status);
  const isUnknown = project.brief === null && project.progress === 0; // a command need not say how far it is
  setText(parts.percent, isUnknown ? "" : `${Math.round(project.progress ?? 0)}%`);
  const message =
    isActive(project) || project.status === "failed" ? (project.message ?? project.run?.message ?? "") : "";
  setText(parts.message, message);
  show(parts.message, message !== "");
}

/** As its newest run is. @param {Project} project */
export const shownStatus = ({ status, run }) => stateOf(status, run?.silent);

/** What a project is for: its brief, or the command that ran last. @param {Project} project */
function whatWords({ brief, run }) {
  if (brief !== null) return brief ?? "";
  return run ? `$ ${run.command}` : "No command has run yet";
}

/** Its newest run, who began it and when; or when the project was made. @param {Project} project */
function madeWords({ created, run }) {
  if (!run?.number) return created ? ago(created) : "";
  const when = ago(run.finished ?? run.started ?? run.created);
  return `${[`Run ${run.number}`, byWhom(run)].filter(Boolean).join(" ")}, ${when}`;
}
