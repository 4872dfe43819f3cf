import { describe, expect, it } from 'vitest';
import {
  type Application,
  type FlowDefinition,
  mayMove,
  TOPICS,
  type Tool,
  type Wanted,
} from '../../contract/index.ts';
import { appMoves } from '../../daemon/runtime/gate/app-moves.ts';
import { refusePreempted } from '../../daemon/runtime/gate/call-scope.ts';
import type { Ask } from '../../daemon/runtime/gate/tool-gate-parts.ts';
import { Stops } from '../../daemon/runtime/stop-count.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { packageApp } from '../support/package-app.ts';
import { plainTool, withTools } from '../support/stop-scope-rig.ts';

const HOUSE: readonly Tool[] = [
  ...[plainTool('robot.state', 'read'), plainTool('robot.maneuver', 'actuate')],
  ...[
    plainTool('robot.stop', 'actuate'),
    plainTool('memory.note', 'write'),
    plainTool('memory.recall', 'read'),
  ],
  ...[plainTool('run.spawn', 'write'), plainTool('run.finish', 'write'), plainTool('mcp.files.read', 'read')],
];
const OPENS = new Set(['run.spawn']);
const moves = (app: Application, house = HOUSE) => appMoves(app, house, OPENS);
const flow = (tools: readonly string[], byTools?: true): FlowDefinition => ({
  ...{ name: 'f', start: 'a', stepsMax: 1, begin: () => ({}), states: {}, tools },
  ...(byTools ? { byTools } : {}),
});
const plain = (more: Partial<Application>): Application => {
  const { agent: _, ...rest } = withTools('a', []);
  return { ...rest, ...more };
};

describe('whether a call moves the robot', () => {
  it.each([
    ['read', false],
    ['write', false],
    ['actuate', true],
    ['shake', true],
    [undefined, true],
  ])('by its effect %s: %s', (effect, expected) => {
    expect(mayMove({ effect })).toBe(expected);
  });
});

describe('whether runs of an application may move the robot', () => {
  it.each<[string, Application, boolean]>([
    [
      'an agent that reads, writes and stops',
      withTools('a', ['robot.state', 'memory.*', 'robot.stop']),
      false,
    ],
    ['an agent without tools', withTools('a', []), false],
    ['an agent that moves', withTools('a', ['robot.state', 'robot.maneuver']), true],
    ['a pattern with a motion in it', withTools('a', ['robot.*']), true],
    ['a tool that is not known', withTools('a', ['robot.fly']), true],
    ['a pattern without a tool', withTools('a', ['world.*']), true],
    ['a pattern of tools that may still come', withTools('a', ['mcp.*']), true],
    ['every tool', withTools('a', ['*']), true],
    ['a tool of a server that is there', withTools('a', ['mcp.files.read']), false],
    ['an agent that asks for other runs', withTools('a', ['run.spawn']), true],
    ['an agent that only ends its run', withTools('a', ['run.finish']), false],
    [
      'a tool of its own that moves',
      withTools('a', ['a.push'], { tools: [plainTool('a.push', 'actuate')] }),
      true,
    ],
    [
      'a tool of its own of an unknown kind',
      withTools('a', ['a.do'], { tools: [plainTool('a.do', 'do')] }),
      true,
    ],
    [
      'a tool of its own that reads',
      withTools('a', ['a.look'], { tools: [plainTool('a.look', 'read')] }),
      false,
    ],
    ['a flow of steps that read', plain({ harness: 'flow', flow: flow(['robot.state'], true) }), false],
    ['a flow of steps that move', plain({ harness: 'flow', flow: flow(['robot.maneuver'], true) }), true],
    ['a flow of code, which has the robot', plain({ harness: 'flow', flow: flow(['robot.state']) }), true],
    [
      'an agent with a flow that carries on',
      withTools('a', ['robot.state'], { flow: flow(['robot.state']) }),
      true,
    ],
    ['what has neither agent nor flow', plain({ harness: 'flow' }), true],
    [
      'an agent elsewhere',
      plain({
        harness: 'remote',
        remote: {
          ...{ runtime: 'r', agent: 'a', tools: ['robot.state'] },
          ...{ prompt: () => '', lost: 'fail', waitMs: 1 },
        },
      }),
      true,
    ],
    ['an outer loop', withTools('a', ['robot.state'], { loop: {} as never }), true],
    ['foresight', withTools('a', ['robot.state'], { foresight: {} as never }), true],
  ])('%s', (_, app, expected) => {
    expect(moves(app)).toBe(expected);
  });

  const packed = (file: string, text: string, tools: string) =>
    packageApp({
      'app.toml': `name = "lab"
version = "1.0.0"
description = "Does something"
harness = "flow"
tools = [${tools}]
[[intents]]
type = "lab/go"
description = "Go"
`,
      [file]: text,
    });
  const steps = (tool: string) => `steps:\n  - { id: a, tool: ${tool} }\n  - { id: b, end: succeeded }\n`;
  const tree = (leaf: string) =>
    `<root BTCPP_format="4"><BehaviorTree ID="m"><Sequence>${leaf}</Sequence></BehaviorTree></root>`;

  it.each([
    ['flow.yaml', steps('robot.state'), '"robot.state"', false],
    ['flow.yaml', steps('robot.maneuver'), '"robot.*"', true],
    ['flow.yaml', 'steps:\n  - { id: a, run: other/go }\n  - { id: b, end: succeeded }\n', '"run.*"', true],
    ['flow.xml', tree('<robot.state/>'), '"robot.state"', false],
    ['flow.xml', tree('<Spin spin_dist="1"/>'), '"robot.maneuver"', true],
  ])('of a package with %s %j', (file, text, tools, expected) => {
    const delegate = plainTool('run.delegate', 'write');
    expect(appMoves(packed(file, text, tools), [...HOUSE, delegate], new Set(['run.delegate']))).toBe(
      expected,
    );
  });

  it('counts the tools of its extensions, which it has without naming them', () => {
    const push = plainTool('ext.push', 'actuate');
    const extension: Tool = { ...push, spec: { ...push.spec, origin: 'extension' } };
    expect(moves(withTools('a', ['robot.state']), [...HOUSE, extension])).toBe(true);
  });
});

describe('a call that was made before a stop', () => {
  it.each<[unknown, string | undefined, boolean]>([
    ['read', 'r', false],
    ['write', 'r', false],
    ['actuate', 'r', true],
    ['shake', 'r', true],
    [undefined, 'r', true],
    ['actuate', undefined, true],
  ])('of the effect %s, by the run %s: refused is %s', async (effect, run, refused) => {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    const stops = new Stops(clock, bus);
    const wanted = stops.now();
    await clock.advance(1);
    bus.tell(TOPICS.robotStopped, { atMs: clock.monotonicMs(), ...(run === undefined ? {} : { run }) });
    const ask = { tool: 'lab.do', args: {}, effect, replay: 'safe', deadlineMs: 1 } as Ask;
    const start = (one: Wanted) => refusePreempted({ stops, instead: undefined }, ask, one);
    if (refused) expect(() => start(wanted)).toThrow(expect.objectContaining({ code: 'robot.preempted' }));
    else start(wanted);
    start(stops.now());
    refusePreempted({ stops, instead: undefined }, { ...ask, tool: 'robot.stop' }, wanted);
  });

  it('of the run that stops is refused by its own stop, of others by what moves; many runs may stop', async () => {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    const stops = new Stops(clock, bus);
    const wanted = stops.now();
    await clock.advance(1);
    const still = (run?: string) => ({ moves: () => false, run });
    for (let n = 0; n < 100; n++) bus.tell(TOPICS.robotStopped, { atMs: clock.monotonicMs(), run: `r${n}` });
    const since = (run?: string) => stops.since(wanted, still(run));
    expect([since('r99'), since('r98'), since('other'), since()]).toEqual([true, true, false, false]);
    expect(stops.since(wanted, { moves: () => true })).toBe(true);
    expect(stops.since(stops.now(), { moves: () => true, run: 'r99' })).toBe(false);
    // An older one that is heard of late takes nothing back.
    bus.tell(TOPICS.robotStopped, { atMs: -1, run: 'r99' });
    expect(since('r99')).toBe(true);
    stops.note();
    expect(since()).toBe(true);
  });
});
