import { Type } from 'typebox';
import {
  type Application,
  EdgeError,
  type FlowDefinition,
  type ModelRequest,
  type Tool,
} from '../../../contract/index.ts';
import { type Line, turnOf } from '../../fakes/scripted-model.ts';
import { finish, tool } from '../agent-apps.ts';
import type { Order } from './kill-words.ts';

type Ask = (order: Order) => Promise<unknown>;

/** Rounds of an errand, and turns of a clerk before it ends. */
export const ROUNDS = 4;
const closed = { additionalProperties: false } as const;
const params = Type.Object({ n: Type.Integer({ minimum: 0, maximum: 2_500 }) }, closed);
/** Kills take their time: no run ends by its deadline here. */
const DEADLINE_MS = 86_400_000;

/** What became of an effect; one that a cut made uncertain is left alone. */
async function noted(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code === 'run.interrupted') return 'uncertain';
    throw thrown;
  }
}

/** A flow: each round drives (`never`), goes to a place (`probe`), keeps a clip (`safe`) and turns (`never`). */
export function errand(): Application {
  const round = (number: number, next: string): FlowDefinition['states'][string] => ({
    about: `round ${number}`,
    deadlineMs: DEADLINE_MS,
    on: { ok: next },
    enter: async ({ robot, tools, facts, params: { n } }) => {
      const mission = Number(n);
      const unit = mission * 8 + number + 1;
      const story = [...(facts['story'] as string[])];
      story.push(
        await noted(async () => (await robot.maneuver({ kind: 'drive', distance: unit / 10_000 })).outcome),
      );
      const pose = { x: mission, y: number, yaw: 0 };
      // Another run that is taken up stops the robot: the way is begun again until it is made.
      for (let outcome = ''; outcome !== 'reached' && outcome !== 'uncertain'; ) {
        outcome = await noted(
          async () => (await robot.navigate({ pose, tolerance: 0.1, timeoutMs: 60_000 })).outcome,
        );
        story.push(outcome);
      }
      const name = `m${mission}-${number}`;
      story.push(await noted(async () => (await tools.clipRecording({ name, pre_s: 1, post_s: 0 })).bag));
      story.push(
        await noted(async () => (await robot.maneuver({ kind: 'spin', angle: unit / 1_000 })).outcome),
      );
      return { event: 'ok', reason: `round ${number}`, facts: { story } };
    },
  });
  const states: Record<string, FlowDefinition['states'][string]> = {
    done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
  };
  for (let i = 0; i < ROUNDS; i++) states[`r${i}`] = round(i, i + 1 < ROUNDS ? `r${i + 1}` : 'done');
  return {
    ...{ name: 'errand', version: '1.0.0', description: 'errand', harness: 'flow', afterCut: 'resume' },
    intents: [{ type: 'errand/go', description: 'go', params }],
    deadlineMs: DEADLINE_MS,
    flow: { name: 'errand', start: 'r0', stepsMax: 1_000, begin: () => ({ story: [] }), states },
  };
}

/** An agent whose model asks for an effect of every class in each of its turns. */
export function clerk(ask: Ask): Application {
  const input = Type.Object({ n: Type.Integer() }, closed);
  const act =
    (kind: 'never' | 'safe' | 'probe'): Tool['run'] =>
    async ({ n }, { callId }) => ({
      result: { ...((await ask({ op: 'effect', kind, key: `${kind} ${n}`, callId })) as object), n },
    });
  const probe: NonNullable<Tool['probe']> = async ({ n }) => {
    const { happened } = (await ask({ op: 'probe', key: `probe ${n}` })) as { happened: boolean };
    return happened ? { result: { found: true, n } } : undefined;
  };
  return {
    ...{ name: 'clerk', version: '1.0.0', description: 'clerk', harness: 'pi', afterCut: 'resume' },
    intents: [{ type: 'clerk/go', description: 'go', params }],
    deadlineMs: DEADLINE_MS,
    sharing: { runsMax: 2 },
    tools: [
      tool('do.never', { input, effect: 'write', replay: 'never' }, act('never')),
      tool('do.safe', { input, effect: 'write', replay: 'safe' }, act('safe')),
      tool('do.probe', { input, effect: 'write', replay: 'probe' }, act('probe'), { probe }),
      finish,
    ],
    agent: {
      instructions: 'You are a test.',
      prompt: ({ n }) => `Mission ${String(n)}.`,
      tools: ['*'],
      turnsMax: 1_000,
    },
  };
}

/** What the model of a clerk says; it knows the conversation and nothing else. */
export function clerksLine(request: ModelRequest): Line {
  const turn = turnOf(request);
  const said = request.messages.find(({ role }) => role === 'user')?.text ?? '';
  const mission = Number(/Mission (\d+)/.exec(said)?.[1]);
  if (turn >= ROUNDS)
    return { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };
  const args = { n: mission * 10 + turn };
  return {
    text: `turn ${turn}`,
    calls: ['never', 'safe', 'probe'].map((kind) => ({ name: `do_${kind}`, args })),
  };
}
