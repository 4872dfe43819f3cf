import type { PolicyContext } from '../intent.ts';
import type { ApprovalTerms, HookPoint } from './policy-hook.ts';

/** An entity that policies refer to, with its parents. Types without the namespace. */
export type PolicyEntity = { readonly type: string; readonly id: string };

/**
 * One question as policies see it and as the log keeps it. It holds everything that was considered, so that it can be
 * judged again years later under other policies. Plain JSON.
 */
export type PolicyRequest = {
  readonly point: HookPoint;
  readonly principal: {
    readonly tenant: string;
    readonly id: string;
    /** With those of a grant. */
    readonly roles: readonly string[];
    readonly origin: PolicyContext['origin'];
    /** Grant under which it acts. */
    readonly grant?: string;
  };
  readonly resource: PolicyEntity & { readonly parents: readonly PolicyEntity[] };
  readonly robot: string;
  /** Wall time of the question, milliseconds since the Unix epoch. */
  readonly ts_ms: number;
  readonly about: Readonly<Record<string, string>>;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Entities of the configuration that the question reaches, in Cedar's JSON: the parents of roles and groups. */
  readonly entities: readonly Readonly<Record<string, unknown>>[];
};

export type PolicyVerdict = {
  readonly decision: 'allow' | 'deny' | 'needs_approval';
  readonly reason: string;
  readonly determining: readonly string[];
  readonly approval?: ApprovalTerms;
};

/** A set of policies that was parsed and checked. `judge` is pure, does not wait, and denies where it fails. */
export interface PolicyJudge {
  /** Hash of the names and texts of all files. */
  readonly sha256: string;
  judge(request: PolicyRequest): PolicyVerdict;
}

export type PolicyFileView = { readonly file: string; readonly sha256: string; readonly policies: number };

export type PolicyView = {
  readonly policy_sha256: string;
  /** True where no file is configured: operators may act, others may not. */
  readonly built_in: boolean;
  readonly files: readonly PolicyFileView[];
  /** `text`: in Cedar. */
  readonly policies: readonly {
    readonly id: string;
    readonly effect: string;
    readonly line: number;
    readonly text?: string;
  }[];
  /** Wall time of the load, wire time. */
  readonly loaded_ts: string;
  /**
   * Why the current files are not in force, and what is instead: the files before, the last good ones, or nearly
   * nothing.
   */
  readonly reload_error: string | undefined;
};
