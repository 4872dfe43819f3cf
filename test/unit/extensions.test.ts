import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { PolicyHook } from '../../contract/index.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { tool } from '../support/agent-apps.ts';
import { ExtensionFolder, ExtensionRig } from '../support/extension-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';
import { until } from '../support/until.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

let folder: ExtensionFolder;
beforeEach(() => {
  folder = new ExtensionFolder();
});
afterEach(() => folder.end());

const END: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };
const lines = (...all: readonly Line[]) => new ScriptedModel((request) => all[turnOf(request)] ?? END);
const calling = (name: string, raw: string): Line => ({ calls: [{ name, raw }] });

async function ran(model: ScriptedModel, options: ConstructorParameters<typeof ExtensionRig>[2] = {}) {
  const rig = await new ExtensionRig(folder, model, options).start();
  await rig.rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.rig.finished();
  return rig;
}

const ADD = `import { sum } from './lib/sum.ts';
export default function (pi: any): void {
  pi.registerTool({
    name: 'add', description: 'adds', parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number', maximum: 9 } }, required: ['a', 'b'] },
    async execute(_id: string, args: any, _signal: unknown, _update: unknown, ctx: any) {
      return { content: [{ type: 'text', text: String(sum(args.a, args.b)) }], details: { run: ctx.runId } };
    },
  });
}`;

describe('a tool of an extension', () => {
  it('is called by the gate, logged, and its arguments are checked as the model sent them', async () => {
    folder.write('add.ts', ADD);
    folder.write('lib/sum.ts', 'export const sum = (a: number, b: number): number => a + b;');
    const bad = ['{"a":"1","b":2}', '{"a":null,"b":2}', '{"a":1,"b":10}', '{"a":1,"b":2,"c":3}'];
    const rig = await ran(
      lines(...bad.map((raw) => calling('ext_add', raw)), calling('ext_add', '{"a":1,"b":2}')),
    );
    const answers = rig.rig.of('tool.returned').map(({ payload }) => payload);
    expect(answers.slice(0, 4).map(({ error }) => error?.code)).toEqual(bad.map(() => 'schema.invalid'));
    expect(answers[4]).toMatchObject({ tool: 'ext.add', ok: true, result: { text: '3' } });
    const called = rig.rig.of('tool.called')[4];
    expect(called?.payload).toMatchObject({ effect: 'write', replay: 'never' });
    expect(rig.states).toEqual([{ extension: 'extensions/add.ts', state: 'loaded', reason: '' }]);
  });

  it('may describe its arguments by references: they are followed, every object is closed, a circle stays', async () => {
    const tool = (name: string, defs: string) =>
      `pi.registerTool({ name: '${name}', description: 'd', parameters: { type: 'object',
        properties: { at: { allOf: [{ $ref: '#/$defs/P' }], default: {} } }, $defs: { P: ${defs} } },
        execute: async (_id, args) => ({ content: [{ type: 'text', text: JSON.stringify(args) }] }) });`;
    const point = `{ type: 'object', properties: { x: { type: 'number' } } }`;
    const tree = `{ type: 'object', properties: { of: { $ref: '#/$defs/P' } } }`;
    folder.write('at.ts', `export default (pi) => { ${tool('at', point)} };`);
    // As `Type.Cyclic` writes it: by name. It checks as it is.
    const cyclic = `{ type: 'object', properties: { of: { $defs: { N: { $id: 'N', type: 'object',
      properties: { of: { $ref: 'N' } } } }, $ref: 'N' } } }`;
    folder.write('tree.ts', `export default (pi) => { ${tool('tree', tree)} ${tool('node', cyclic)} };`);
    const bad = ['{"at":{"x":"1"}}', '{"at":{"y":1}}', '{"y":1}'];
    const rig = await ran(
      lines(
        ...bad.map((raw) => calling('ext_at', raw)),
        calling('ext_at', '{"at":{"x":1}}'),
        ...['tree', 'node'].flatMap((name) =>
          ['{"at":{"of":{"of":1}}}', '{"at":{"of":{"of":{}}}}'].map((raw) => calling(`ext_${name}`, raw)),
        ),
      ),
    );
    const answers = rig.rig.of('tool.returned').map(({ payload }) => payload);
    expect(answers.slice(0, 3).map(({ error }) => error?.code)).toEqual(bad.map(() => 'schema.invalid'));
    expect(answers[3]).toMatchObject({ tool: 'ext.at', ok: true });
    expect(answers.slice(4, 8).map(({ ok }) => ok)).toEqual([false, true, false, true]);
    const [at] = rig.host.tools('agent').filter(({ spec }) => spec.name === 'ext.at');
    expect(JSON.stringify(at!.spec.input)).not.toContain('$ref');
    expect(rig.states.find(({ extension }) => extension === 'extensions/tree.ts')?.state).toBe('loaded');
  });

  it('is refused by a policy as any other', async () => {
    folder.write('add.ts', ADD);
    folder.write('lib/sum.ts', 'export const sum = (): number => { throw new Error("reached"); };');
    const deny: PolicyHook = {
      name: 'no-extensions',
      decide: async ({ subject }) =>
        subject.startsWith('ext.')
          ? { decision: 'deny', reason: 'not today' }
          : { decision: 'allow', reason: '' },
    };
    const rig = await ran(lines(calling('ext_add', '{"a":1,"b":2}')), { hooks: [deny] });
    expect(rig.rig.of('tool.returned')[0]!.payload.error?.code).toBe('policy.denied');
  });

  it('that never returns is given up, and so often in a row that its extension is out', async () => {
    folder.write(
      'deaf.ts',
      `export default (pi) => {
      pi.registerTool({ name: 'deaf', description: 'd', parameters: { type: 'object' }, edge: { deadlineMs: 500 }, execute: () => new Promise(() => {}) });
    };`,
    );
    folder.write(
      'good.ts',
      `export default (pi) => {
      pi.registerTool({ name: 'good', description: 'g', parameters: { type: 'object', properties: { n: { type: 'number' } } }, execute: async () => ({ content: [{ type: 'text', text: 'well' }] }) });
    };`,
    );
    const asks = Array.from({ length: 6 }, () => calling('ext_deaf', '{}'));
    const rig = await ran(lines(...asks, calling('ext_good', '{}')));
    const codes = rig.rig.of('tool.returned').map(({ payload }) => payload.error?.code ?? 'ok');
    expect(codes.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'deadline.exceeded'));
    expect(codes.slice(5)).toEqual(['extension.failed', 'ok', 'ok']);
    expect(rig.host.tools('agent').map(({ spec }) => spec.name)).toEqual(['ext.good']);
    expect(rig.states.at(-1)).toMatchObject({ extension: 'extensions/deaf.ts', state: 'isolated' });
    expect(rig.rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });
});

describe('hooks of an extension', () => {
  it('that hang or throw do not freeze the session; the others go on', async () => {
    folder.write(
      'a-deaf.ts',
      `export default (pi) => { pi.on('turn_start', () => new Promise(() => {})); };`,
    );
    folder.write(
      'b-throws.ts',
      `export default (pi) => { pi.on('turn_start', () => { throw { toString() { throw 1; } }; }); };`,
    );
    folder.write(
      'c-well.ts',
      `export default (pi) => { pi.on('before_agent_start', () => ({ systemPrompt: 'Be brief.' })); };`,
    );
    let n = 0;
    const look = tool('robot.look', {}, async () => ({ result: { n: ++n } }));
    const model = lines(...Array.from({ length: 6 }, () => calling('robot_look', '{}')));
    const rig = await ran(model, { tools: [look] });
    expect(rig.rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
    const out = rig.host.extensions().map(({ extension, state }) => [extension, state]);
    expect(out).toEqual([
      ['extensions/a-deaf.ts', 'isolated'],
      ['extensions/b-throws.ts', 'isolated'],
      ['extensions/c-well.ts', 'loaded'],
    ]);
    expect(JSON.stringify(model.requests[0]!.messages[0])).toContain('Be brief.');
  });

  it('can block a call, and change nothing that was said or done', async () => {
    folder.write(
      'guard.ts',
      `export default (pi) => {
      pi.on('tool_call', (event) => { event.input.metres = 99; return event.toolName === 'robot_jump' ? { block: true, reason: 'no jumping' } : undefined; });
      pi.on('message_end', (event) => { event.message.content = []; return { message: { role: 'assistant', content: [] } }; });
      pi.on('tool_result', () => ({ isError: true, details: { result: { status: 'failed' } } }));
    };`,
    );
    const seen: unknown[] = [];
    const any = { input: { type: 'object', properties: { metres: { type: 'number' } } } as never };
    const go = tool('robot.go', any, async (args) => {
      seen.push(args);
      return { result: { went: true } };
    });
    const jump = tool('robot.jump', any, async (args) => {
      seen.push(args);
      return { result: {} };
    });
    const model = lines(calling('robot_jump', '{}'), calling('robot_go', '{"metres":1}'));
    const rig = await ran(model, { tools: [go, jump] });
    expect(seen).toEqual([{ metres: 1 }]);
    expect(model.requests[1]!.messages.at(-1)!.text).toContain('no jumping');
    expect(rig.rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
  });

  it('that break a guard let nothing through until they are out', async () => {
    folder.write(
      'guard.ts',
      `export default (pi) => { pi.on('tool_call', () => { throw new Error('broken guard'); }); };`,
    );
    let went = 0;
    const go = tool('robot.go', {}, async () => ({ result: { went: ++went } }));
    const rig = await ran(lines(...Array.from({ length: 6 }, () => calling('robot_go', '{}'))), {
      tools: [go],
    });
    expect(went).toBe(1);
    expect(rig.states.at(-1)).toMatchObject({
      state: 'isolated',
      reason: expect.stringContaining('broken guard'),
    });
  });

  it('cannot give a model messages that are none', async () => {
    folder.write(
      'bad.ts',
      `export default (pi) => { pi.on('context', () => ({ messages: [{ role: 'root', content: 7 }] })); };`,
    );
    const rig = await ran(lines());
    expect(rig.rig.of('run.finished')[0]!.payload.status).toBe('succeeded');
    expect(rig.host.extensions()[0]!.faults).toBeGreaterThan(0);
  });
});

describe('what an extension leaves behind', () => {
  it('is counted against it where it fails, and never ends the process', async () => {
    folder.write(
      'stray.ts',
      `export default (pi) => { pi.registerTool({ name: 'stray', description: 's', parameters: { type: 'object' }, async execute() {
      Promise.reject(new Error('left behind'));
      setTimeout(() => { throw new Error('later'); }, 0);
      return { content: [] };
    } }); };`,
    );
    const taken: boolean[] = [];
    const before = process.listeners('uncaughtException');
    const rejections = process.listeners('unhandledRejection');
    process.removeAllListeners('uncaughtException');
    process.removeAllListeners('unhandledRejection');
    try {
      const rig = await new ExtensionRig(folder, lines(calling('ext_stray', '{}'))).start();
      process.on('uncaughtException', (thrown, origin) => taken.push(rig.host.takesStray(thrown, origin)));
      await rig.rig.cell.submit({ type: 'agent/go' }, PERSON);
      await rig.rig.finished();
      await until(() => taken.length === 2, 'both');
      expect(taken).toEqual([true, true]);
      expect(rig.host.extensions()[0]!.faults).toBe(2);
      expect(rig.host.takesStray(new Error('ours'), 'uncaughtException')).toBe(false);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
      for (const listener of rejections) process.on('unhandledRejection', listener);
    }
  });
});

describe('what an extension must not do', () => {
  const refused = [
    `pi.exec('rm', ['-rf', '/'])`,
    `pi.registerProvider('x', {})`,
    `pi.setActiveTools([])`,
    `pi.sendMessage({})`,
    `pi.events.emit('x')`,
    `pi.on('user_bash', () => {})`,
    `pi.sendUserMessage('outside of a session')`,
    `pi.registerTool({ name: 'X Y', description: '', parameters: {}, execute() {} })`,
    `pi.registerTool({ name: 'x', description: '', parameters: { type: 'object', properties: { a: { pattern: '(' } } }, execute() {} })`,
    `pi.on = 1`,
  ];
  it.each(refused)('%s is refused by name, and the extension is not loaded', async (line) => {
    folder.write('bad.ts', `export default (pi) => { ${line}; };`);
    const rig = await new ExtensionRig(folder, lines()).start();
    expect(rig.states).toEqual([
      { extension: 'extensions/bad.ts', state: 'failed', reason: expect.any(String) },
    ]);
    expect(rig.states[0]!.reason).not.toBe('');
    expect(rig.host.tools('agent')).toEqual([]);
  });

  it('its context reads and refuses', async () => {
    folder.write(
      'poke.ts',
      `export default (pi) => {
      const told = [];
      for (const poke of ['abort', 'shutdown', 'compact']) pi.registerCommand(poke, { handler: () => {} });
      pi.registerTool({ name: 'poke', description: 'p', parameters: { type: 'object' }, async execute(_i, _a, _s, _u, ctx) {
        for (const name of ['abort', 'shutdown', 'compact']) try { ctx[name](); told.push('let'); } catch (e) { told.push(e.code); }
        try { ctx.ui.confirm('?'); told.push('let'); } catch (e) { told.push(e.code); }
        return { content: [], details: { told, robot: ctx.robot === undefined, writes: typeof ctx.sessionManager.appendMessage, entries: ctx.sessionManager.getEntries().length > 0 } };
      } });
    };`,
    );
    const rig = await ran(lines(calling('ext_poke', '{}')));
    expect(rig.rig.of('tool.returned')[0]!.payload).toMatchObject({
      ok: true,
      result: {
        details: { told: Array(4).fill('extension.failed'), robot: true, writes: 'undefined', entries: true },
      },
    });
  });
});

describe('the example of the documents', () => {
  it('counts drives, blocks the one too many, and takes a command in mid-run', async () => {
    const example = join(import.meta.dirname, '../../docs/examples/extensions/drive-budget.ts');
    const source = readFileSync(example, 'utf8');
    folder.write('drive-budget.ts', source);
    let drives = 0;
    // No name that the example knows: what counts is that it moves the robot, as the tools of the maze do.
    const go = tool('maze.explore_frontier', { effect: 'actuate', replay: 'never' }, async () => {
      if (++drives === 3) {
        const runId = rig.rig.of('run.started')[0]!.run_id!;
        await rig.rig.cell.control.message(runId, { kind: 'steer', text: '/drives 1' }, PERSON);
        // Said while this call was under way; the command has run before it ends.
        for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
      }
      return { result: { drives } };
    });
    const model = lines(
      ...[
        calling('ext_drives_left', '{}'),
        calling('maze_explore_frontier', '{}'),
        calling('maze_explore_frontier', '{}'),
      ],
      ...[
        calling('maze_explore_frontier', '{}'),
        calling('maze_explore_frontier', '{}'),
        calling('maze_explore_frontier', '{}'),
      ],
    );
    const rig: ExtensionRig = await new ExtensionRig(folder, model, { tools: [go] }).start();
    await rig.rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.rig.finished();
    expect(rig.states.at(-1)?.reason).toBe('');
    expect(rig.rig.of('tool.returned')[0]!.payload.result).toMatchObject({ details: { drives: 3 } });
    expect(drives).toBe(4);
    const told = JSON.stringify(model.requests.at(-1)!.messages);
    expect(told).toContain('You may drive 1 times');
    expect(told).toContain('no drives left');
    // The command itself is for the extension, not for the model.
    expect(told).not.toContain('/drives 1');
  });
});
