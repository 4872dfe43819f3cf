import { expect, it } from 'vitest';
import type { AgentEvent } from '../../contract/index.ts';
import { decisionParts, decisionText } from '../../daemon/runtime/runs/decisions.ts';

/** A run of many calls with long results, as the log gives it. */
const events = Array.from(
  { length: 1_000 },
  (_, n) =>
    ({
      kind: 'tool.returned',
      payload: { call_id: `call-${n}`, tool: 'lake.query', ok: true, result: { text: 'x'.repeat(2_000), n } },
    }) as unknown as AgentEvent,
);

it('the decisions of a long run come in parts, and others have their turn between them', async () => {
  let turns = 0;
  let goesOn = true;
  const other = () => {
    if (!goesOn) return;
    turns++;
    setImmediate(other);
  };
  other();
  const parts: string[] = [];
  for await (const part of decisionParts(events)) parts.push(part);
  goesOn = false;
  expect(parts.join('')).toBe(decisionText(events));
  expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(32_768);
  expect(parts.every((part) => part.endsWith('\n'))).toBe(true);
  expect(turns).toBeGreaterThan(parts.length / 2);
});

it('what decides nothing does not keep others waiting either', async () => {
  let turns = 0;
  const other = () => {
    turns++;
    if (turns < 1_000) setImmediate(other);
  };
  other();
  const silent = events.map((event) => ({ ...event, kind: 'model.returned' }) as AgentEvent);
  expect(await Array.fromAsync(decisionParts(silent))).toEqual([]);
  expect(turns).toBeGreaterThan(20);
});
