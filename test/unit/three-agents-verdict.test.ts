import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentEvent } from '../../contract/index.ts';
import { deedsFile, TURN_RAD } from '../support/three-agents/packages.ts';
import { brokenIn } from '../support/three-agents/verdict.ts';

/** What judges the kills of three agents finds each way in which something can go wrong. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'verdict-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const event = (kind: string, payload: object, ms = 0) =>
  ({ kind, payload, run_id: 'r', ts: String(ms * 1_000_000) }) as unknown as AgentEvent;
const call = (id: string, tool: string, end: object, ms = 0) => [
  event('tool.called', { call_id: id, tool, traceparent: `trace-${id}` }, ms),
  event('tool.returned', { call_id: id, tool, ...end }, ms),
];
const END = event('run.finished', { status: 'failed' });
const DONE = { ok: true, result: { text: 'done' } };
const STAMP = 'mcp.ledger.stamp';

function verdict(
  events: readonly AgentEvent[],
  deeds: readonly string[] = [],
  turned: readonly number[] = [],
) {
  const lines = deeds.map((id) => `${JSON.stringify({ traceparent: `trace-${id}`, pid: 1 })}\n`);
  writeFileSync(deedsFile(folder, 'stamper'), lines.join(''));
  // A turn of 0.1 s in each of these milliseconds, and a stop.
  const commands = turned.flatMap((ms) => [
    `${ms} ${ms / 1_000} 0 ${TURN_RAD * 10}`,
    `${ms + 1} ${ms / 1_000 + 0.1} 0 0`,
  ]);
  writeFileSync(join(folder, 'commands'), commands.map((line) => `${line}\n`).join(''));
  return brokenIn({ events: [...events, END], runs: new Map([['r', 'stamper']]), kills: [] }, folder);
}

it('a deed for each call that was answered, and at most one for each that was interrupted, is no fault', () => {
  const interrupted = { ok: false, error: { code: 'run.interrupted' } };
  const events = [
    ...call('a', STAMP, DONE),
    ...call('b', STAMP, interrupted),
    ...call('c', STAMP, interrupted),
  ];
  expect(verdict(events, ['a', 'b'])).toEqual([]);
});

it.each([
  ['happened twice', [...call('a', STAMP, DONE)], ['a', 'a'], /a happened 2 times/],
  ['was acknowledged and did not happen', [...call('a', STAMP, DONE)], [], /a happened 0 times/],
  ['is not in the log', [], ['a'], /trace-a happened and is not in the log/],
  ['has no end', call('a', STAMP, DONE).slice(0, 1), ['a'], /has no end/],
  ['is of a run that ended twice', [END], [], /run r has 2 ends/],
])('a call that %s is found', (_what, events, deeds, words) => {
  expect(verdict(events, deeds).join('; ')).toMatch(words);
});

it('a turn that happened once is no fault; twice, not at all, or before any call it is', () => {
  const reached = { ok: true, result: { outcome: 'reached' } };
  const events = call('t', 'robot.maneuver', reached, 1_000);
  expect(verdict(events, [], [1_500])).toEqual([]);
  expect(verdict(events, [], [1_500, 2_500]).join()).toMatch(/turn t: 2\.40 rad of 1\.2/);
  expect(verdict(events, [], []).join()).toMatch(/turn t: 0\.00 rad/);
  expect(verdict(events, [], [500, 1_500]).join()).toMatch(/turned by 1\.20 rad before/);
});
