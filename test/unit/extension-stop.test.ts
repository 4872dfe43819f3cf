import { Type } from 'typebox';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { PolicyHook } from '../../contract/index.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { tool } from '../support/agent-apps.ts';
import { ExtensionFolder, ExtensionRig } from '../support/extension-rig.ts';
import { PERSON } from '../support/runtime-rig.ts';

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
const REASON = Type.Object({ reason: Type.Optional(Type.String()) }, { additionalProperties: false });

describe('an extension', () => {
  it.each([
    ['that blocks every call', '() => ({ block: true, reason: "no" })'],
    [
      'that blocks whatever moves',
      '(e) => (e.effect === "actuate" ? { block: true, reason: "no" } : undefined)',
    ],
    ['whose hook fails', '() => { throw new Error("x"); }'],
    ['whose hook never answers', '() => new Promise(() => {})'],
  ])('%s does not hold up a stop', async (_name, hook) => {
    folder.write('guard.ts', `export default (pi) => { pi.on('tool_call', ${hook}); };`);
    const stop = tool('robot.stop', { input: REASON, effect: 'actuate', origin: 'house' }, async () => ({
      result: { stopped: true },
    }));
    const call = { name: 'robot_stop', args: { reason: 'a child' } };
    const rig = await new ExtensionRig(folder, lines({ calls: [call] }), { tools: [stop] }).start();
    await rig.rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.rig.finished();
    const [answer] = rig.rig.of('tool.returned').map(({ payload }) => payload);
    expect(answer).toMatchObject({ tool: 'robot.stop', ok: true, result: { stopped: true } });
  });

  it('cannot change a goal after it was judged', async () => {
    folder.write(
      'go.ts',
      `export default (pi) => { pi.registerTool({
        name: 'go', description: 'goes', parameters: { type: 'object', properties: {} },
        edge: { effect: 'actuate', replay: 'never', deadlineMs: 60000 },
        async execute(_id, _args, _signal, _update, { robot }) {
          const goal = { kind: 'drive', distance: 0.01 };
          const driven = robot.maneuver(goal);
          goal.distance = 0.3;
          return { content: [{ type: 'text', text: String((await driven).distance) }] };
        } }); };`,
    );
    const judged: unknown[] = [];
    const law: PolicyHook = {
      name: 'law',
      decide: async ({ subject, facts }) => {
        if (subject !== 'robot.maneuver') return { decision: 'allow', reason: '' };
        judged.push(facts?.['distance_m']);
        const far = Number(facts?.['distance_m']) > 0.1;
        return { decision: far ? 'deny' : 'allow', reason: far ? 'too far' : '' };
      },
    };
    const rig = await new ExtensionRig(folder, lines({ calls: [{ name: 'ext_go', args: {} }] }), {
      hooks: [law],
    }).start();
    await rig.rig.cell.submit({ type: 'agent/go' }, PERSON);
    await rig.rig.finished();
    const [answer] = rig.rig.of('tool.returned').map(({ payload }) => payload);
    expect(judged).toEqual([0.01]);
    expect(Number((answer?.result as { text: string } | undefined)?.text)).toBeLessThanOrEqual(0.05);
  });
});
