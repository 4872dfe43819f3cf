import { Type } from 'typebox';
import type { HookDecision, HookQuestion, PolicyHook, Tool } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';
import type { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { type Cut, RuntimeRig } from './runtime-rig.ts';
import { flowApp, oneState } from './test-apps.ts';

/** A hook that wants a person for one tool or intent, and lets operators answer what others asked. */
export class AskFirst implements PolicyHook {
  readonly name = 'ask-first';
  roles: readonly string[] = [];
  timeoutMs = 60_000;
  forbidAfter = false;
  asked = 0;

  readonly #subject: string;

  constructor(subject: string) {
    this.#subject = subject;
  }

  async decide({ point, subject, context, about }: HookQuestion): Promise<HookDecision> {
    if (point === 'approval') {
      const own = about?.['requester'] === context.principal;
      const allow = context.roles.includes('operator') && !own;
      return { decision: allow ? 'allow' : 'deny', reason: own ? 'their own' : 'no operator' };
    }
    if (subject !== this.#subject) return { decision: 'allow', reason: 'nothing to ask' };
    if (this.asked++ > 0 && this.forbidAfter) return { decision: 'deny', reason: 'no more' };
    return {
      decision: 'needs_approval',
      reason: 'people are near',
      approval: { timeoutMs: this.timeoutMs, roles: this.roles },
    };
  }
}

export function tool(name: string, effect: 'write' | 'actuate', calls: string[]): Tool {
  return {
    spec: {
      name,
      description: name,
      input: Type.Object({ n: Type.Integer() }, { additionalProperties: false }),
      effect,
      replay: effect === 'actuate' ? 'never' : 'safe',
      deadlineMs: 5_000,
      origin: 'house',
    },
    run: async ({ n }, { callId }) => {
      calls.push(`${name} ${n} ${callId}`);
      return { result: { n: n as number } };
    },
  };
}

export type Setup = {
  hook?: AskFirst;
  disk?: MemoryLogDisk;
  cut?: Cut;
  clock?: ManualClock;
  calls?: string[];
  deadlineMs?: number;
};

export function rigOf({
  hook = new AskFirst('gate.open'),
  disk,
  cut,
  clock,
  calls = [],
  deadlineMs = 600_000,
}: Setup) {
  // The phase is a harness of its own: it calls the box as an agent does.
  const app = {
    ...flowApp(
      'door',
      oneState(async () => ({ event: 'ok', reason: '' })),
    ),
    harness: 'pi' as const,
    deadlineMs,
    agent: { instructions: 'x', tools: ['gate.open', 'note.write'], skills: [] } as never,
    tools: [tool('gate.open', 'actuate', calls), tool('note.write', 'write', calls)],
  };
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot(),
    hooks: [hook],
    ...(disk ? { disk } : {}),
    ...(cut ? { cut } : {}),
    ...(clock ? { clock } : {}),
    options: {
      harnesses: {
        pi: () => ({
          kind: 'pi',
          execute: async ({ toolBox }) => {
            await toolBox.call('note.write', { n: 1 }, { originId: 'a' });
            const answer = await toolBox
              .call('gate.open', { n: 2 }, { originId: 'b' })
              .then(({ result }) => `opened ${result['n']}`)
              .catch((error: Error) => `refused: ${error.message}`);
            await toolBox.call('note.write', { n: 3 }, { originId: 'c' });
            return { status: 'succeeded', reason: answer, summary: {} };
          },
        }),
      },
    },
  });
  return { rig, hook, calls };
}

export async function waiting(rig: RuntimeRig): Promise<string> {
  await rig.until(
    () => rig.cell.status().runs[0]?.status === 'waiting_approval',
    'the run waits for a person',
  );
  return rig.cell.approvals.approvals()[0]!.approval_id;
}
