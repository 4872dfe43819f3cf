import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openEventLog } from '../../adapters/event-log/index.ts';
import { makeRejudge } from '../../daemon/compose/rejudge.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { loadSettings } from '../../daemon/settings.ts';
import { PERSON } from '../support/runtime-rig.ts';

/** The history judged again, over a log on disk and in a process of its own. */
const source = {
  policies: [{ file: 'a.cedar', text: 'permit (principal, action, resource);' }],
  entities: { file: 'entities.json', text: '' },
};
let dataDir: string;
let rejudge: ReturnType<typeof makeRejudge>;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rejudge-'));
  const clock = new SystemClock();
  const book = await PolicyBook.open({
    ...{ robot: 'tb1', clock, read: () => source, standing: ({ roles }) => ({ ok: true, roles }) },
  });
  const question = { point: 'tool', subject: 'robot.drive', context: PERSON, facts: {} } as const;
  const { events } = await new PolicyGate([book], clock).ask(
    question,
    '01a1fd99-664f-7001-b10f-4ffe24a4f881',
  );
  const log = await openEventLog(dataDir, 'runtime', clock);
  await log.append(events);
  await log.close();
  const settings = loadSettings('/dev/null', { AURAISON_DAEMON_DATA_DIR: dataDir });
  rejudge = makeRejudge(settings, clock, () => book.source);
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

describe('the history judged again', () => {
  it('by the policies in force is the same', async () => {
    expect(await rejudge({ sinceMs: 0 })).toMatchObject({ judged: 1, same: 1, different: 0, whole: true });
  });

  it('by other policies shows what differs, and by broken ones their fault', async () => {
    const by = (text: string) => rejudge({ sinceMs: 0, policies: [{ file: 'b.cedar', text }] });
    expect(await by('forbid (principal, action, resource);')).toMatchObject({ judged: 1, different: 1 });
    // More than an argument of a process may hold.
    const long = `// ${'x'.repeat(300_000)}\npermit (principal, action, resource);`;
    expect(await by(long)).toMatchObject({ same: 1 });
    await expect(by('permit (')).rejects.toMatchObject({
      code: 'policy.invalid',
      message: expect.stringContaining('b.cedar:1'),
    });
  });
});
