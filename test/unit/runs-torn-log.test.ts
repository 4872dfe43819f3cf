import { describe, expect, it } from 'vitest';
import { EdgeError, type RunContext } from '../../contract/index.ts';
import type { ModelsOfRun } from '../../daemon/runtime/active-run.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { ScriptedModel } from '../fakes/scripted-model.ts';
import { rigOf } from '../support/agent-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

const ASK = {
  ...{ messages: [{ role: 'user' as const, text: 'go' }], maxTokens: 10, temperature: 0 },
  ...{ deadlineMs: 1_000, purpose: 'agent turn' },
};
const FULL = new EdgeError('log.failed', { operation: 'log.append', subject: 'test', message: 'disk full' });

/** As the router of models does: the end of a call is handed to the log, and not waited for. */
function models(returned: () => void): ModelsOfRun {
  return ({ runId, emit }) =>
    new ScriptedModel(async () => {
      const counts = { ok: true, tokens_in: 1, tokens_out: 1, duration_ms: 1 };
      const call_id = '018bcfe5-6800-7000-8000-000000000001';
      returned();
      emit([{ kind: 'model.returned', run_id: runId, payload: { call_id, ...counts } }]).catch(() => {});
      return { text: 'done' };
    });
}

describe('a run whose log refused what nobody waited for', () => {
  it('does not end with a hole: it is taken up again when the log takes events, and says all of it', async () => {
    const disk = new MemoryLogDisk();
    let attempts = 0;
    const agent = async ({ model }: RunContext) => {
      await model!.complete(ASK);
      // The disk is well again before the run writes its end.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      disk.fault = undefined;
      return { reason: `attempt ${attempts}` };
    };
    const returned = () => {
      if (++attempts === 1) disk.fault = FULL;
    };
    const rig = rigOf({ agent }, { disk, options: { models: models(returned) } });
    await rig.cell.start();
    await rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.finished();
    expect(rig.of('run.started').map(({ payload }) => payload.attempt)).toEqual([1, 2]);
    expect(rig.of('model.returned')).toHaveLength(1);
    expect(rig.of('run.finished').map(({ payload }) => payload.reason)).toEqual(['attempt 2']);
    expect(rig.reports.join()).toMatch(/could not be written to its end.*disk full/);
  });
});
