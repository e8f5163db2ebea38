/** What the projects' API answers, and the events on a project's topic (docs/protocol.md, section 6). */

import type { EventOf } from "../../client/index.js";
import type { Question } from "./project/question-store.js";

export type Status = "idle" | "queued" | "running" | "completed" | "failed" | "cancelled";

export type RunStatus = Exclude<Status, "idle">;

/** A run of either kind: one press of Generate, or a command that somebody's machine reports. */
export interface Run {
  readonly id: string;
  /** From 1, within the project. */
  readonly number: number;
  readonly project: string;
  readonly kind: "generation" | "command";
  readonly status: RunStatus;
  /** 0-100. */
  readonly progress: number;
  readonly message: string;
  /** Name of the stage it is at, or ended in. */
  readonly stage: string | null;
  readonly command: string | null;
  /** Subject of the token that began it. */
  readonly author: string | null;
  readonly host: string | null;
  readonly exit: number | null;
  readonly signal: string | null;
  /** RFC 3339, as the next two; null before it has started. */
  readonly created: string;
  readonly started: string | null;
  readonly finished: string | null;
  /** Seconds; null before it has ended. */
  readonly duration: number | null;
  /** Nothing was heard of its reporter for a minute. */
  readonly silent: boolean;
  /** Of its log; not in events. */
  readonly lines?: number;
  readonly bytes: number;
  /** Bytes that are missing in its log. */
  readonly cut: number;
  /** Files that it created or changed. */
  readonly changed: number;
}

export interface RunStage {
  number: number;
  name: string;
  status: "pending" | "started" | "completed" | "failed" | "cancelled";
  message: string;
  /** Seconds; null before it has ended. */
  duration: number | null;
  /** Of the run's log; null before it has begun. */
  first_line: number | null;
}

export interface RunDetail extends Run {
  readonly stages: readonly RunStage[];
  readonly cursor: string;
}

export interface RunPage {
  readonly runs: readonly Run[];
  readonly more: boolean;
  readonly cursor: string;
}

/** A line of a run's log. */
export interface LogLine {
  readonly line: number;
  readonly stage?: string | null;
  readonly time: string;
  readonly level?: string | null;
  readonly agent?: string | null;
  readonly text: string;
}

/** A page of a run's log. */
export interface LogPage {
  readonly lines: readonly LogLine[];
  /** The next `after`. */
  readonly next: number | null;
  readonly more: boolean;
  /** Whether the last line of the log has not ended yet. */
  readonly unfinished?: boolean;
  readonly cursor: string;
}

export type FileAction = "created" | "updated" | "same" | "removed";

/** A file as a run wrote it. */
export interface FileInfo {
  path: string;
  /** Bytes. */
  size: number;
  action: FileAction;
}

/** The finished application of a project; `message` says why there is none, or why it does not run. */
export interface AppView {
  readonly state: "off" | "none" | "stopped" | "starting" | "running" | "failed";
  readonly message: string;
  readonly url: string | null;
  /** The id of the run that it is of. */
  readonly run: string | null;
  /** The end of its output once it has failed. */
  readonly tail: string;
  /** Seconds without a look after which it is stopped. */
  readonly idle: number;
}

/** A project as the list has it. */
export interface Project {
  id: string;
  name: string;
  /** Null: nothing is generated, its runs are commands. */
  brief?: string | null;
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
  brief: string | null;
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
    status: "started" | "completed" | "failed" | "cancelled";
    message: string;
    duration?: number | null;
  };
  log: {
    level?: string;
    message?: string;
    agent?: string | null;
    run?: number | null;
    stage?: number | null;
  };
  file_update: { path: string; size: number; action: "created" | "updated"; preview: string };
  completion: { run: string; status: Status; duration?: number; files: number; message: string };
  question: Question;
  answer: Question;
  run_update: Run;
  run_output: { run: number; stage: string | null; line: number; text: string };
  output: string;
  removed: null;
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
