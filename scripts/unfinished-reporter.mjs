// vitest counts a file whose process died neither as passed nor as failed, and does not name it. This names it, with
// the test that ran at the time, or one of the few after it: what a process says last may be lost with it.
/** @implements {import('vitest/node').Reporter} */
export default class UnfinishedReporter {
  onTestRunEnd(modules, errors) {
    for (const module of modules) {
      if (module.ok() && module.state() !== 'pending' && module.state() !== 'queued') continue;
      const tests = [...module.children.allTests()];
      const open = tests.filter((test) => test.result().state === 'pending');
      if (open.length === 0 && module.state() === 'failed') continue;
      console.error(
        `FAIL  ${module.project.name}  ${module.relativeModuleId} > ${open[0]?.fullName ?? 'before its tests'}`,
      );
      console.error(`did not end: ${open.length} of ${tests.length} tests have no result`);
    }
    for (const error of errors) {
      console.error(`FAIL  outside of tests`);
      console.error(
        `${error.message ?? error}${error.cause ? `: ${error.cause.message ?? error.cause}` : ''}`,
      );
    }
  }
}
