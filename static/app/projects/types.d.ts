/** What the projects' API answers, and the events on a project's topic (docs/protocol.md, section 6). */

import type { EventOf } from "../../client/index.js";

export type Status = "idle" | "queued" | "running" | "completed" | "failed" | "cancelled";

export interface Run {
  readonly id: string;
  readonly message: string | null;
  /** RFC 3339; null before it has started. */
  readonly started: string | null;
  /** Seconds; null before it has ended. */
  readonly duration: number | null;
}

export interface Stage {
  number: number;
  agent: string;
  status: "pending" | "started" | "completed" | "failed";
  message: string;
  /** Seconds; null before it has ended. */
  duration: number | null;
}

export interface FileInfo {
  path: string;
  /** Bytes. */
  size: number;
  updated: string;
}

/** A project as the list has it. */
export interface Project {
  id: string;
  name: string;
  brief?: string;
  created?: string;
  status: Status;
  /** 0-100. */
  progress: number;
  /** Of the newest status_update. */
  message?: string;
  run?: Run | null;
}

/** A project as its page has it. */
export interface Snapshot extends Project {
  brief: string;
  readonly stages: readonly Stage[];
  /** The position that it includes. */
  readonly cursor: string;
}

export interface Listing {
  readonly projects: readonly Project[];
  readonly more: boolean;
  readonly cursor: string;
}

/** Events on `projects/{id}`, and the last two on `projects`. */
export interface ProjectEvents {
  status_update: { status: Status; progress: number; run: string; message: string };
  agent_update: {
    agent: string;
    stage: number;
    stages: number;
    status: "started" | "completed" | "failed";
    message: string;
    duration?: number;
  };
  log: { level?: string; message?: string; agent?: string | null };
  file_update: { path: string; size: number; action: "created" | "updated"; preview: string };
  completion: { run: string; status: Status; duration?: number; files: number; message: string };
  project_created: { id: string; name: string };
  project_deleted: { id: string; name: string };
}

export type ProjectEvent = EventOf<ProjectEvents>;

/** A page of history, of log lines or of everything. */
export interface Past {
  readonly events: ProjectEvent[];
  /** The next `before`. */
  readonly cursor: string;
  /** Of the log, when it was read. */
  readonly head: string;
  readonly more: boolean;
}

/** A log line as the page keeps it. */
export interface Line {
  readonly id: string;
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly agent: string | null;
}
