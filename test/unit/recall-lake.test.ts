import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import type { Intent, Lake, NewEvent } from '../../contract/index.ts';
import { type Recall, recallSql } from '../../daemon/runtime/tools/recall-sql.ts';
import { logged } from '../conformance/lake.ts';
import { fixedId } from '../support/sample-events.ts';

/** A run of a tenant that noted something, and how the note was answered. */
function noting(n: number, tenant: string, text: string, ok = true): NewEvent[] {
  const run_id = fixedId(n);
  const intent = {
    intent_id: fixedId(n + 1),
    type: 'maze/find_exit',
    params: {},
    policy_ctx: { tenant, principal: 'test', roles: ['operator'], origin: 'cli' },
    targets: [],
    priority: 0,
    idempotency_key: `key-${n}`,
  } as Intent;
  const call = { call_id: fixedId(n + 2), tool: 'memory.note' };
  const denied = {
    code: 'policy.denied',
    operation: 'x',
    subject: 'x',
    message: '',
    hint: '',
    retryable: false,
  } as const;
  return [
    { kind: 'intent.accepted', run_id, payload: { intent, app: 'turtlebot-maze' } },
    {
      kind: 'tool.called',
      run_id,
      payload: { ...call, args: { text, tags: ['door'] }, effect: 'write', replay: 'safe', deadline_ms: 1 },
    },
    {
      kind: 'tool.returned',
      run_id,
      payload: ok
        ? { ...call, ok, result: { noted: true }, duration_ms: 1 }
        : { ...call, ok, error: denied, duration_ms: 1 },
    },
    {
      kind: 'run.finished',
      run_id,
      payload: { status: 'succeeded', reason: `ended: ${text}`, score: 1, summary: {} },
    },
  ];
}

describe('memory.recall on a lake', () => {
  let dataDir: string;
  let lake: Lake;
  const recall = async (more: Partial<Recall>) => {
    const sql = recallSql({ among: 'notes', text: undefined, sinceNs: undefined, tenant: 'lab', ...more });
    return (await lake.query(sql, { limit: 100, timeoutMs: 20_000 })).rows;
  };

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'recall-'));
    lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock: new SystemClock() });
    const events = [
      ...noting(100, 'lab', "The door of Ada's room is left of 100% of the chairs"),
      ...noting(200, 'lab', 'The DOOR sticks'),
      ...noting(300, 'other', 'The door code is 1234'),
      ...noting(400, 'lab', 'A door that nobody may note', false),
    ];
    await lake.project('runtime', await logged('runtime', events));
  });
  afterAll(async () => {
    await lake.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('finds the notes of this tenant by all words, and neither those of others nor refused ones', async () => {
    const doors = await recall({ text: 'door' });
    expect(doors.map((row) => row[2]).sort()).toEqual([
      'The DOOR sticks',
      "The door of Ada's room is left of 100% of the chairs",
    ]);
    expect(doors[0]![0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z$/);
    expect(await recall({ text: "ada's DOOR" })).toHaveLength(1);
    expect(await recall({ text: '100%' })).toHaveLength(1);
    expect(await recall({ text: '%' })).toHaveLength(1);
    expect(await recall({ text: 'window' })).toEqual([]);
    expect(await recall({ tenant: 'other' })).toHaveLength(1);
    expect(await recall({ tenant: "o'lab" })).toEqual([]);
    expect(await recall({ tenant: "x' OR '1'='1" })).toEqual([]);
    expect(await recall({ text: "') OR true --" })).toEqual([]);
  });

  it('finds runs and calls, and nothing that is too old', async () => {
    expect(await recall({ among: 'runs', text: 'sticks' })).toMatchObject([
      [expect.any(String), fixedId(200), 'succeeded', 'ended: The DOOR sticks', 1, '{}', null],
    ]);
    expect(await recall({ among: 'calls', text: 'memory.note' })).toHaveLength(3);
    expect(await recall({ sinceNs: 0n })).toHaveLength(2);
    expect(await recall({ sinceNs: 9_000_000_000_000_000_000n })).toEqual([]);
    expect(await recall({ among: 'runs', sinceNs: 9_000_000_000_000_000_000n })).toEqual([]);
  });
});
