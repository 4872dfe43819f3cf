import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watch } from '../../cli/commands/watch.ts';
import type { Status } from '../../cli/status-view.ts';
import type { WatchView } from '../../cli/watch/view.ts';
import { WatchBook } from '../../cli/watch/watch-book.ts';
import { watchText } from '../../cli/watch/watch-text.ts';
import type { NewEvent, RunDetails } from '../../contract/index.ts';
import { nobodysPort, personAt, portOf } from '../support/cli-person.ts';
import { answerAll } from '../support/http-answers.ts';
import { phase, type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { TinyLog, uuid } from '../support/tiny-log.ts';

type Answer = WatchView & { readonly events: readonly { readonly kind: string }[] };

let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-watch-'));
  writeFileSync(join(folder, 'robot.toml'), '');
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

async function daemon(port = 0): Promise<Rig> {
  const rig = await startRig({ port });
  closing.push(() => rig.stop());
  answerAll(rig);
  return rig;
}

const call = (n: number, tool: string): NewEvent => ({
  kind: 'tool.called',
  run_id: RUN_ID,
  payload: {
    ...{
      call_id: uuid(n),
      tool,
      args: { x: n },
      effect: 'actuate',
      replay: 'idempotent',
      deadline_ms: 1_000,
    },
  } as never,
});
const back = (n: number, tool: string, ok: boolean): NewEvent => ({
  kind: 'tool.returned',
  run_id: RUN_ID,
  payload: {
    ...{ call_id: uuid(n), tool, ok, duration_ms: 1_500 },
    ...(ok ? { result: { done: true } } : { error: { code: 'robot.stuck', message: 'a wall' } }),
  } as never,
});

const status = {
  robot_id: 'tb1',
  version: '1',
  cells: [{ name: 'memory', state: 'restarting', restarts: 1, reason: 'killed', rss_bytes: 1 }],
  runs: { available: true, ready: true, apps: [], runs: [], phases: {} },
  robot: {
    ...{ available: true, connected: true, motion: 'moving', degraded: ['no map'] },
    pose: { x: 1.234, y: -2, yaw: Math.PI / 2 },
    twist: { linear: 0.2, angular: 0 },
    battery: 0.1,
    source: { kind: 'sim', connected: true, reason: '' },
    health: { diagnostics: [{ name: 'motor left', level: 'warn' }], joints: {} },
    estop: { engaged: true, source: 'api', by: 'vera', reason: 'smoke', since_ns: '' },
  },
  recorder: { available: true, state: 'recording', reason: '' },
  control: { available: false, reason: '' },
  zenoh: { available: false, reason: '' },
  lake: { available: false, reason: '' },
  link: { available: false, reason: '' },
} as unknown as Status;

const run = (over: Partial<RunDetails['run']> = {}, intent = 'maze/find_exit'): RunDetails =>
  ({
    run: { run_id: RUN_ID, status: 'running', attempt: 1, ...over },
    intent: { type: intent },
    ...{ app: 'maze', phase: 'explore', reason: '', started_ts: '1700000000000000000' },
  }) as unknown as RunDetails;

const START_MS = 1_700_000_000_000;

/** A run that moves, with events of it. */
function book(): WatchBook {
  const found = new WatchBook('http://127.0.0.1:1');
  const log = new TinyLog('runtime');
  const events: NewEvent[] = [
    phase(1),
    { kind: 'robot.observed', run_id: RUN_ID, payload: { reads: [] } },
    call(1, 'robot.navigate'),
    back(1, 'robot.navigate', true),
    call(2, 'robot.maneuver'),
    back(2, 'robot.maneuver', false),
    call(3, 'robot.look'),
    {
      kind: 'policy.decided',
      run_id: RUN_ID,
      payload: {
        ...{ hook: 'cedar', point: 'tool', subject: 'arm.follow', decision: 'deny' },
        ...{ reason: 'the arm is\u001b[31m off', duration_us: 1 },
      },
    },
  ];
  for (const event of events) found.take(log.append(event));
  const other = run({ run_id: uuid(5), status: 'queued' }, 'maze/later');
  found.seen({ status, runs: [other, run()] }, START_MS + 65_000);
  return found;
}

describe('the view of auraison watch', () => {
  it('shows alerts, the run that moves with its step, its last calls and what was denied', () => {
    const text = watchText(book().view(START_MS + 65_000), 100, 40, false);
    expect(text).toMatch(/^tb1 {2}live/);
    expect(text).toContain('moving (sim)  battery 10 %');
    expect(text).toContain('1.23, -2.00 m  90°  0.20 m/s');
    expect(text).toContain('!! emergency stop, engaged by vera: smoke');
    expect(text).toContain('!! cell memory is restarting: killed');
    expect(text).toContain('! motor left: warn');
    expect(text).toContain(`maze/find_exit running  65 s  ${RUN_ID}`);
    expect(text).toContain('explore: because');
    expect(text).toContain('✓ robot.navigate 1.5 s {"x":1}');
    expect(text).toContain('✗ robot.maneuver 1.5 s robot.stuck: a wall');
    expect(text).toContain('▸ robot.look runs');
    expect(text).toContain('deny tool arm.follow: the arm is');
    expect(text).toContain('and 1 more: maze/later queued');
    expect(text).toContain('policy.decided hook=cedar point=tool subject=arm.follow decision=deny');
    expect(text).not.toContain('call_id=');
    expect(text).not.toContain('robot.observed');
    // Text of a robot moves no cursor.
    expect(text).not.toContain('\u001b');
  });

  it.each([40, 57, 80, 200])(
    'fits %s columns and any number of rows, with colours and without',
    (columns) => {
      const view = book().view(START_MS);
      for (const rows of [3, 10, 24, 60])
        for (const colour of [false, true]) {
          const lines = watchText(view, columns, rows, colour)
            .replaceAll(/\u001b\[[\d;]*m/g, '')
            .split('\n');
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) expect([...line].length).toBeLessThanOrEqual(columns);
        }
      expect(watchText(view, columns, 60, false)).toContain('!! emergency stop');
    },
  );

  it('says since when nothing answers and of when the rest is, and that it came back', () => {
    const found = book();
    found.missed('no daemon answers', START_MS + 70_000);
    found.missed('no daemon answers', START_MS + 77_000);
    const gone = watchText(found.view(START_MS + 80_000), 80, 40, false);
    expect(gone).toMatch(/^tb1 {2}no answer for 10 s/);
    expect(gone).toMatch(/shown is what was known at \d\d:\d\d:\d\d/);
    // The run is not said to go on meanwhile.
    expect(gone).toContain('maze/find_exit running  65 s');
    found.seen({ status, runs: [] }, START_MS + 90_000);
    expect(watchText(found.view(START_MS + 91_000), 80, 40, false)).toMatch(/live.*\nback at \S+ after 20 s/);
  });

  it('keeps a bounded number of events and calls however long it runs', () => {
    const found = book();
    const log = new TinyLog('runtime');
    for (const n of Array(500).keys()) found.take(log.append(call(n, `tool.${n}`)));
    const { events, run: seen } = found.view(START_MS);
    expect(events.length).toBeLessThanOrEqual(100);
    expect(seen!.calls.length).toBeLessThanOrEqual(16);
    expect(seen!.calls.at(-1)!.tool).toBe('tool.499');
  });
});

describe('auraison watch', () => {
  it('gives each look as JSON: the run with its calls, and each event once', async () => {
    const rig = await daemon();
    rig.logs.runtime.append(phase(1));
    rig.logs.runtime.append(call(1, 'robot.navigate'));
    const { context, told, results } = personAt(folder, portOf(rig), { AURAISON_TOKEN: TOKEN });
    expect(await watch(context, { every: '0.1', count: '3' })).toBe(0);
    const [first, ...more] = results as Answer[];
    expect(first!.run).toMatchObject({
      ...{ run_id: RUN_ID, intent: 'maze/find_exit', status: 'running', phase: 'explore', reason: 'because' },
      calls: [{ tool: 'robot.navigate', args: '{"x":1}' }],
    });
    expect(first!.events.map(({ kind }) => kind)).toEqual(['run.phase', 'tool.called']);
    expect(more.map(({ events }) => events)).toEqual([[], []]);
    expect(told[2]).toContain('robot.navigate');
  });

  it('keeps what it knew while the daemon is away, and continues with its events after it came back', async () => {
    const rig = await daemon();
    rig.logs.runtime.append(phase(1));
    const port = portOf(rig);
    const { context, results } = personAt(folder, port, { AURAISON_TOKEN: TOKEN });
    const told = results as Answer[];
    const result = context.out.result;
    let again: Rig | undefined;
    // Each look sees another world: there, away, there again.
    context.out.result = (value, text) => {
      result(value, text);
      if (told.length === 1) void rig.stop();
      if (told.at(-1)!.away && !again) {
        again = {} as Rig;
        void daemon(port).then((found) => {
          again = found;
          // As a daemon that starts again with its data directory.
          for (const event of [phase(1), phase(2)]) found.logs.runtime.append(event);
        });
      }
    };
    expect(await watch(context, { every: '0.1', count: '30' })).toBe(0);
    const away = told.find((view) => view.away)!;
    expect(away).toMatchObject({ status: { robot_id: 'tb1' }, run: { phase: 'explore' } });
    expect(away.as_of_ms).toBeLessThanOrEqual(away.away!.since_ms);
    expect(told.at(-1)!.away).toBeUndefined();
    expect(told.at(-1)!.back!.after_ms).toBeGreaterThan(0);
    const heard = told.flatMap(({ events }) => events);
    expect(heard).toHaveLength(2);
  });

  it('ends with 1 where no daemon came', async () => {
    const { context, told } = personAt(folder, await nobodysPort());
    expect(await watch(context, { every: '0.1', count: '2' })).toBe(1);
    expect(told[1]).toContain('no answer for');
  });

  it('does not wait for a daemon that is another one: a wrong token is said at once', async () => {
    const rig = await daemon();
    const { context } = personAt(folder, portOf(rig), { AURAISON_TOKEN: 'wrong' });
    await expect(watch(context, { every: '0.1' })).rejects.toMatchObject({ code: 'api.unauthorised' });
  });

  it.each(['0', 'often', '1e9'])('refuses to look every %s seconds', async (every) => {
    const { context } = personAt(folder, 1);
    await expect(watch(context, { every })).rejects.toThrow(/--every: expected a number from 0.1 to 3600/);
  });
});
