// Decides what a run of the tests is worth. Pure: reports in, a verdict out (types in verdict.d.mts).
//
// No test is retried where it stands. A file that failed in the whole run is repeated once, alone, at its end. If
// it passes then, it is unsteady: named, and tolerated in small numbers. If it fails again, the run has failed.

/** More unsteady files than this fail the run: it says too little then. */
export const UNSTEADY_FILES_MAX = 3;
/** Repeating more files than this takes longer than it is worth: something common to all is broken. */
export const REPEATED_FILES_MAX = 10;

/** Which files have to run once more, and which failures no repetition can settle. */
export function failuresOf(lanes) {
  const files = new Map();
  const lost = [];
  for (const { name, code, report } of lanes) {
    if (!report) {
      lost.push(`${name}: ended with ${code} and left no report`);
      continue;
    }
    const failed = report.files.filter(({ ok }) => !ok);
    for (const error of report.errors) {
      const running = report.files.find(({ file }) => file === error.file);
      if (running) failed.push(running);
    }
    // An error that names no file is taken for a consequence of those that failed beside it.
    const nameless = report.errors.filter(({ file }) => !report.files.some((other) => other.file === file));
    if (failed.length === 0 && nameless.length > 0)
      lost.push(`${name}: outside of tests: ${nameless[0].message}`);
    else if (failed.length === 0 && code !== 0) lost.push(`${name}: ended with ${code}, and no file failed`);
    else if (report.files.length === 0) lost.push(`${name}: no test ran`);
    for (const { project, file } of failed) files.set(`${project} ${file}`, { project, file });
  }
  return { files: [...files.values()], lost };
}

/** `repeated`: one lane for each file that ran again, in any order; files without one count as failed. */
export function verdictOf(lanes, repeated) {
  const { files, lost } = failuresOf(lanes);
  const settled = new Map(repeated.map((lane) => [lane.name, failuresOf([lane])]));
  const isSteadyNow = ({ file }) => {
    const again = settled.get(file);
    return again !== undefined && again.files.length === 0 && again.lost.length === 0;
  };
  const unsteady = files.filter(isSteadyNow).map(({ file }) => file);
  const failed = files.filter((one) => !isSteadyNow(one)).map(({ file }) => file);
  const reasons = [...lost, ...failed.map((file) => `${file}: failed in the run and alone`)];
  if (unsteady.length > UNSTEADY_FILES_MAX) {
    reasons.push(
      `${unsteady.length} unsteady files: ${UNSTEADY_FILES_MAX} are tolerated, more say too little about the rest`,
    );
  }
  return { ok: reasons.length === 0, unsteady, failed, reasons, ...totals(lanes, repeated) };
}

/** Each file counts as it ended: the second time where there was one. */
function totals(lanes, repeated) {
  const files = new Map();
  for (const { report } of [...lanes, ...repeated])
    for (const one of report?.files ?? []) files.set(`${one.project} ${one.file}`, one);
  const sum = (key) => [...files.values()].reduce((total, one) => total + one[key], 0);
  // A file that failed without a failed test (it cannot be loaded) is one failure too.
  const silent = [...files.values()].filter(({ ok, failed }) => !ok && failed === 0).length;
  return { passed: sum('passed'), failedTests: sum('failed') + silent, skipped: sum('skipped') };
}

/** The closing lines of a run; the last one holds the counts. */
export function closingLines(verdict, seconds) {
  const { unsteady, reasons, passed, skipped } = verdict;
  // A run that failed by something else than a test says so in its counts too.
  const failedTests = Math.max(verdict.failedTests, reasons.length);
  return [
    ...unsteady.map((file) => `unsteady: ${file} failed in the run and passed alone`),
    ...reasons.map((reason) => `failed: ${reason}`),
    `all tests: ${verdict.ok ? 'passed' : 'FAILED'} in ${seconds.toFixed(0)} s`,
    `${passed} passed, ${failedTests} failed${skipped > 0 ? `, ${skipped} skipped` : ''}${
      unsteady.length > 0 ? `, ${unsteady.length} unsteady ${unsteady.length === 1 ? 'file' : 'files'}` : ''
    }`,
  ];
}
