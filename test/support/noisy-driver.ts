import { Type } from 'typebox';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { LanguageModel } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, tool } from './agent-apps.ts';
import { PERSON, RuntimeRig } from './runtime-rig.ts';

/** Almost the arguments of the drive: of other types, out of range, too much or too little, and now and then right. */
const ALMOST = {
  type: 'object',
  properties: {
    metres: {
      anyOf: [
        { type: 'integer', minimum: -20, maximum: 20 },
        { type: 'boolean' },
        { type: 'null' },
        { type: 'string', pattern: '^[0-9]{1,2}$' },
      ],
    },
    how: { enum: ['slow', 'fast', 'FAST', ''] },
  },
  required: ['metres'],
  additionalProperties: false,
} as const;
const ARGUMENTS = Type.Object(
  { metres: Type.Integer({ minimum: 0, maximum: 9 }), how: Type.Enum(['slow', 'fast']) },
  { additionalProperties: false },
);

/** What a model says as arguments: noise, and what is almost right, by turns. */
async function wordsOf(model: LanguageModel, count: number): Promise<readonly string[]> {
  const ask = async (_: unknown, seed: number) => {
    const { text } = await model.complete({
      messages: [{ role: 'user', text: `Call ${seed}` }],
      ...{ seed, purpose: 'noise', temperature: 1, maxTokens: 40, deadlineMs: 120_000 },
      ...(seed % 2 === 0 ? {} : { answerSchema: ALMOST }),
    });
    return text;
  };
  return await Promise.all(Array.from({ length: count }, ask));
}

/** A run whose agent drives a robot by what this model says; the run itself passes in a time of its own. */
export async function driveByNoise(model: LanguageModel, calls: number) {
  await loadPi();
  const said = await wordsOf(model, calls);
  const robot = new FakeRobot({ cells: 4 });
  const spec = { input: ARGUMENTS, effect: 'actuate', replay: 'never', deadlineMs: 60_000 } as const;
  const drive = tool('robot.drive', spec, async ({ metres }, { robot: mine }) => {
    await mine!.maneuver({ kind: 'drive', distance: (metres as number) / 100 });
    return { result: {} };
  });
  const driver = new ScriptedModel((_, count) => {
    const raw = said[count - 1];
    if (raw !== undefined) return { calls: [{ name: 'robot_drive', raw }] };
    return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'enough' } }] };
  });
  const blobs = new MemoryBlobStore();
  const tools = ['robot.drive', 'run.finish'];
  const rig = new RuntimeRig({
    apps: [agentApp([drive], { tools, toolChoice: 'required', turnsMax: calls + 2 })],
    robot,
    options: {
      models: () => driver,
      blobs,
      harnesses: { pi: (app) => new PiHarness(app, { blobs, patienceMs: 0 }) },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'agent/go' }, PERSON);
  await rig.finished();
  return { rig, robot, said, right: said.filter(isValid) };
}

/** By hand, not by the checker that is tested. */
function isValid(text: string): boolean {
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    const { metres, how, ...rest } = value ?? {};
    const whole = Number.isInteger(metres) && (metres as number) >= 0 && (metres as number) <= 9;
    return whole && (how === 'slow' || how === 'fast') && Object.keys(rest).length === 0;
  } catch {
    return false;
  }
}
