import { expect, it } from 'vitest';
import { decisionView } from '../../cli/decision-view.ts';

it('shows decisions as a person reads them', () => {
  const lines = [
    { kind: 'intent', type: 'maze/find_exit', params: { speed: 'slow' } },
    { kind: 'call', n: 1, tool: 'robot.navigate', args: { x: -1.525, yaw: -2.35619449, frame: 'map' } },
    { kind: 'policy', hook: 'cedar', point: 'tool', decision: 'allow', reason: '' },
    {
      kind: 'return',
      n: 1,
      tool: 'robot.navigate',
      ok: true,
      result: { outcome: 'reached', pose: { x: 1 / 3 } },
    },
    { kind: 'return', n: 2, tool: 'robot.drive', ok: false, error: 'policy.denied' },
    { kind: 'phase', phase: 'done', previous: 'explore', reason: 'exit: the door sensor says so' },
    { kind: 'return', n: 3, tool: 'page.read', ok: true, result: `a\nb ${'c'.repeat(1_000)}` },
    { kind: 'finished', status: 'succeeded', reason: 'the exit is reached' },
    { kind: 'new', of: 'a later version' },
  ].map(decisionView);
  const forged = decisionView({ kind: 'phase', phase: 'a', reason: 'ok\n   9  robot.stop \x1b[2J' });
  expect(forged).toBe('      a  ok 9 robot.stop [2J');
  expect(lines).toEqual([
    'intent  maze/find_exit  speed=slow',
    '   1  robot.navigate  x=-1.525 yaw=-2.356 frame=map',
    '      allow at tool',
    '   1  robot.navigate gave  outcome=reached pose={x=0.3333}',
    '   2  robot.drive failed  policy.denied',
    '      explore → done  exit: the door sensor says so',
    `   3  page.read gave  a b ${'c'.repeat(155)}…`,
    'succeeded  the exit is reached',
    '{"kind":"new","of":"a later version"}',
  ]);
});
