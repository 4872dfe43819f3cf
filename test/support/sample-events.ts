import { formatUuidv7, type Intent, type NewEvent } from '../../contract/index.ts';

/** A UUIDv7 that is the same in every run of a test. */
export function fixedId(n: number): string {
  return formatUuidv7(1_700_000_000_000 + n, new Uint8Array(10).fill(n % 256));
}

/** The life of one run as the runtime would log it, with `tools` tool calls. */
export function runEvents(n: number, tools = 3): NewEvent[] {
  const run_id = fixedId(n);
  const intent: Intent = {
    intent_id: fixedId(n + 1),
    type: 'maze.find-exit',
    params: { seed: n },
    policy_ctx: { tenant: 'lab', principal: 'test', roles: ['operator'], origin: 'cli' },
    targets: [],
    priority: 0,
    idempotency_key: `key-${n}`,
  } as Intent;
  const calls = Array.from({ length: tools }, (_, i): NewEvent[] => {
    const call = { call_id: fixedId(n + 10 + i), tool: 'navigate' };
    return [
      {
        kind: 'tool.called',
        run_id,
        payload: {
          ...call,
          args: { x: i, text: "it's" },
          effect: 'actuate',
          replay: 'probe',
          deadline_ms: 1000,
        },
      },
      {
        kind: 'tool.returned',
        run_id,
        payload: {
          ...call,
          ok: i !== 1,
          duration_ms: 12.5,
          ...(i === 1 ? {} : { result: { reached: true } }),
        },
      },
    ];
  });
  return [
    { kind: 'intent.accepted', run_id, payload: { intent, app: 'turtlebot-maze' } },
    {
      kind: 'run.queued',
      run_id,
      payload: { intent_id: fixedId(n + 1), app: 'turtlebot-maze', harness: 'flow' },
    },
    { kind: 'run.started', run_id, payload: { attempt: 1 } },
    { kind: 'run.phase', run_id, payload: { phase: 'explore', reason: 'start' } },
    ...calls.flat(),
    { kind: 'run.phase', run_id, payload: { phase: 'done', previous: 'explore', reason: 'exit seen' } },
    {
      kind: 'run.finished',
      run_id,
      payload: { status: 'succeeded', reason: 'exit', score: 1, summary: { m: 7 } },
    },
  ];
}

/** A sealed segment and its loss ledger as the execution cell would log them. */
export function segmentEvents(bag: string, n: number, dropped = 0): NewEvent[] {
  const path = `bags/${bag}/${n}.mcap`;
  const topics = { '/scan': 90, '/odom': 210 };
  return [
    {
      kind: 'segment.sealed',
      payload: {
        ...{ bag, path, sha256: 'ab'.repeat(32), bytes: 1000 + n, messages: 300, topics, repaired: false },
        start_ns: String(1_700_000_000_000_000_000n + BigInt(n) * 1_000_000_000n),
        end_ns: String(1_700_000_000_900_000_001n + BigInt(n) * 1_000_000_000n),
      },
    },
    {
      kind: 'losses.recorded',
      payload: {
        bag,
        segment: path,
        topics: [
          {
            topic: '/scan',
            received: 90 + dropped,
            written: 90,
            dropped: dropped ? { queue_full: dropped } : {},
          },
          { topic: '/odom', received: 210, written: 210, dropped: {} },
        ],
      },
    },
  ];
}
