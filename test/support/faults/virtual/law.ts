import { PolicyBook, SiteAndPackages } from '../../../../adapters/cedar/index.ts';
import type { GoalOf, MotionKind, PolicyHook } from '../../../../contract/index.ts';
import { judgeAction, judgeMotion } from '../../../../daemon/runtime/law/motion-law.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { CALLER, type VirtualRuntime } from './runtime.ts';

const PERMIT = '@id("all") permit (principal, action, resource);\n';
const FORBID = `${PERMIT}@id("stand") forbid (principal, action == Auraison::Action::"tool", resource) when {
  resource.effect == "actuate" && (resource in Auraison::Group::"robot" || resource in Auraison::Group::"arm" ||
  resource in Auraison::Group::"controller" || resource in Auraison::Group::"ros" || resource in Auraison::Group::"bag")
};
`;

/** The policies of a robot in Cedar, which may change while it works. */
export class Law {
  readonly hook: PolicyHook;
  readonly #forbid: () => Promise<void>;

  private constructor(hook: PolicyHook, forbid: () => Promise<void>) {
    this.hook = hook;
    this.#forbid = forbid;
  }

  /** `forbids`: no motion at all, from the start. */
  static async open(forbids: boolean): Promise<Law> {
    let text = forbids ? FORBID : PERMIT;
    const book = await PolicyBook.open({
      ...{ robot: 'r1', clock: new ManualClock(), standing: ({ roles }) => ({ ok: true, roles }) },
      read: () => ({
        policies: [{ file: 'site.cedar', text }],
        entities: { file: 'entities.json', text: '' },
      }),
    });
    return new Law(new SiteAndPackages(book, () => undefined), async () => {
      text = FORBID;
      await book.reload();
    });
  }

  /** As a person who writes other policies and reloads them. */
  forbid(): Promise<void> {
    return this.#forbid();
  }
}

const KINDS: Readonly<Record<string, MotionKind>> = {
  '/v1/robot/navigate': 'navigate',
  '/v1/robot/maneuver': 'maneuver',
  '/v1/arm/trajectory': 'follow',
  '/v1/arm/gripper': 'gripper',
};

/** The policies are asked about what these routes of the API pass on, as they ask. Rejects where it is forbidden. */
export async function judgeOrder({ gate, emit }: VirtualRuntime, url: string, body: unknown): Promise<void> {
  const kind = KINDS[url];
  if (kind) {
    const { goal } = body as { goal: GoalOf<MotionKind> };
    await judgeMotion(gate, emit, { kind, goal, context: CALLER });
  } else if (url === '/v1/controllers/:name/start')
    await judgeAction(gate, emit, { tool: 'controller.run', facts: {} }, CALLER);
  else if (url === '/v1/lease')
    await judgeAction(gate, emit, { tool: 'robot.teleoperate', facts: { motion: 'teleoperate' } }, CALLER);
  else if (url === '/v1/plays') await judgeAction(gate, emit, { tool: 'bag.play', facts: {} }, CALLER);
}
