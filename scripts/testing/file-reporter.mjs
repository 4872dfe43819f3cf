// A vitest reporter beside the default one. It writes which files passed and which failed as JSON to the path in
// TEST_REPORT_FILE. vitest counts a file whose process died neither as passed nor as failed and does not name
// it: here it counts as failed, and is named with the test that ran at the time (or one of the few after it, since
// the last words of a process may be lost with it).
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/** @implements {import('vitest/node').Reporter} */
export default class FileReporter {
  onTestRunEnd(modules, errors) {
    const files = modules.map((module) => this.#file(module));
    for (const error of errors) {
      console.error(`FAIL  outside of tests`);
      console.error(
        `${error.message ?? error}${error.cause ? `: ${error.cause.message ?? error.cause}` : ''}`,
      );
    }
    const path = process.env.TEST_REPORT_FILE;
    if (!path) return;
    const outside = errors.map((error) => ({
      message: String(error.message ?? error),
      // The file that was running when it was thrown, where vitest knows.
      file: error.VITEST_TEST_PATH ? relative(process.cwd(), error.VITEST_TEST_PATH) : undefined,
    }));
    writeFileSync(path, JSON.stringify({ files, errors: outside }));
  }

  #file(module) {
    const tests = [...module.children.allTests()];
    const count = (state) => tests.filter((test) => test.result().state === state).length;
    const isEnded = module.state() !== 'pending' && module.state() !== 'queued';
    const open = tests.filter((test) => test.result().state === 'pending');
    const isOk = module.ok() && isEnded;
    if (!isOk && (open.length > 0 || module.state() !== 'failed')) {
      console.error(
        `FAIL  ${module.project.name}  ${module.relativeModuleId} > ${open[0]?.fullName ?? 'before its tests'}`,
      );
      console.error(`did not end: ${open.length} of ${tests.length} tests have no result`);
    }
    return {
      project: module.project.name,
      file: module.relativeModuleId,
      ok: isOk,
      passed: count('passed'),
      failed: count('failed') + open.length,
      skipped: count('skipped'),
      seconds: Math.round(module.diagnostic().duration / 1_000),
    };
  }
}
