/** Entry of one look back: `replay-main.ts <settings as JSON> <question as JSON>`; the answer is one message. */
import { once } from 'node:events';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError } from '../../contract/core.ts';
import type { LookBack } from '../runtime/replay/forked-replay.ts';
import type { Settings } from '../settings.ts';
import { type RejudgePolicies, rejudgeHere } from './rejudge.ts';
import { makeFileReplay } from './replay.ts';

const settings = JSON.parse(process.argv[2] ?? 'null') as Settings;
const question = JSON.parse(process.argv[3] ?? 'null') as LookBack;
process.title = 'auraison-replay';
const clock = new SystemClock();
const api = makeFileReplay(settings, clock);

// The caller may go away, or be killed: what was started for it ends.
const ends = new AbortController();
const end = () => {
  ends.abort();
  if (question.what !== 'replay' || question.request.sim !== true) process.exit(1);
};
process.once('SIGTERM', end);
process.once('disconnect', end);

async function answer(): Promise<unknown> {
  if (question.what === 'rejudge') {
    // Larger than an argument of a process may be.
    const [by] = (await once(process, 'message')) as [RejudgePolicies];
    return await rejudgeHere(settings, clock, question.sinceMs, by);
  }
  if (question.what === 'replay') return await api.replay(question.run, question.request, ends.signal);
  if (question.what === 'diff') return await api.diff(question.run, question.other);
  return await api.trace(question.run);
}

const reply = await answer().then(
  (value) => ({ ok: true, value }),
  (thrown: unknown) => ({
    ok: false,
    error: EdgeError.from(thrown, 'internal.fault', question.what, question.run).toBody(),
  }),
);
if (!process.connected) process.exit(1);
process.send?.(reply, undefined, {}, () => process.exit(0));
