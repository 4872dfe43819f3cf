export type FileReport = {
  readonly project: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
};
/** One vitest process: its exit code and what file-reporter.mjs wrote; no report when it died first. */
export type LaneResult = {
  readonly name: string;
  readonly code: number;
  readonly report?:
    | {
        readonly files: readonly FileReport[];
        readonly errors: readonly { readonly message: string; readonly file?: string | undefined }[];
      }
    | undefined;
};
export type Verdict = {
  readonly ok: boolean;
  readonly unsteady: readonly string[];
  readonly failed: readonly string[];
  readonly reasons: readonly string[];
  readonly passed: number;
  readonly failedTests: number;
  readonly skipped: number;
};
export const UNSTEADY_FILES_MAX: number;
export const REPEATED_FILES_MAX: number;
export function failuresOf(lanes: readonly LaneResult[]): {
  readonly files: readonly { readonly project: string; readonly file: string }[];
  readonly lost: readonly string[];
};
export function verdictOf(lanes: readonly LaneResult[], repeated: readonly LaneResult[]): Verdict;
export function closingLines(verdict: Verdict, seconds: number): readonly string[];
