/** How a run of one's own comes here: a line to copy into a terminal. */

import { url } from "../../shared/api.js";
import { byId, setText } from "../../shared/dom.js";
import { createCopy } from "./log-tools.js";
import { reportLine } from "./report-line.js";

/** @import { Page } from "../../shared/page.js" */
/** @import { ProjectModel } from "./model.js" */

/**
 * @param {ProjectModel} model
 * @param {Page} page
 */
export async function createReport(model, { toast, who }) {
  const line = reportLine(String(url("")), model.id);
  setText(byId("report-line"), line);
  createCopy(byId("report-copy", HTMLButtonElement), async () => line, toast);
  byId("report", HTMLDetailsElement).open = !model.generates;
  const { keys } = await who.session();
  byId("report-token").hidden = !keys;
}
