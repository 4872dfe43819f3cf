import type { Application, PolicyHook, Tool } from '../../contract/index.ts';
import type { ReplayParts } from '../../daemon/runtime/replay/replay-run.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { MemoryAgent, serveAcpAgent } from './acp-script.ts';
import type { Random } from './random.ts';
import { agentOf, type RemoteAgent, RemotePeer } from './remote-peer.ts';
import { countingTool, go, remoteApp, remoteRig } from './remote-rig.ts';
import { replayParts } from './replay-rig.ts';
import { type Cut, PERSON, type RuntimeRig } from './runtime-rig.ts';

/** How the agent of a foreign runtime talks: by the contract itself, or behind the bridge of the Agent Client Protocol. */
export type Tongue = 'runtime' | 'acp';

type Call = { readonly tool: string; readonly args: object };
/** What the agent does next. */
type Step =
  | { readonly what: 'calls'; readonly calls: readonly Call[] }
  | { readonly what: 'phase'; readonly name: string }
  | { readonly what: 'says'; readonly text: string };

/** What happens to the run from outside, once its log has this many events. */
type Nudge = { readonly events: number; readonly what: 'steer' | 'follow_up' | 'pause' | 'cancel' | 'link' };

export type RemotePlan = {
  readonly tongue: Tongue;
  readonly steps: readonly Step[];
  readonly status: 'succeeded' | 'failed';
  readonly cuts: readonly Cut[];
  readonly nudges: readonly Nudge[];
  readonly judged: boolean;
};

const NAMES = ['count.up', 'count.up', 'count.safe', 'count.slow', 'no.such'];

export function randomRemotePlan(
  random: Random,
  tongues: readonly Tongue[] = ['runtime', 'acp'],
): RemotePlan {
  const call = (): Call => ({
    tool: random.one(NAMES),
    args: random.one([{ n: random.below(10) }, { n: random.below(10) }, {}, { n: 'one' }, { more: 1 }]),
  });
  const steps = random.list(1, 6, (): Step => {
    const kind = random.below(10);
    if (kind < 6) return { what: 'calls', calls: random.list(1, random.chance(0.3) ? 3 : 1, call) };
    if (kind < 8) return { what: 'phase', name: `p${random.below(4)}` };
    return { what: 'says', text: `say ${random.below(9)}` };
  });
  return {
    tongue: random.one(tongues),
    steps,
    status: random.chance(0.8) ? 'succeeded' : 'failed',
    cuts: random.chance(0.5)
      ? random.list(
          1,
          3,
          (): Cut => ({
            append: random.below(10) + 4,
            when: random.chance(0.5) ? 'before' : 'after',
          }),
        )
      : [],
    nudges: random.chance(0.7)
      ? random.list(
          1,
          3,
          (): Nudge => ({
            events: random.below(10) + 4,
            what: random.one(['steer', 'follow_up', 'pause', 'pause', 'link', 'link', 'cancel'] as const),
          }),
        )
      : [],
    judged: random.chance(0.5),
  };
}

/** Denies each call with the number 7. */
const CAREFUL: PolicyHook = {
  name: 'careful',
  decide: async ({ facts }) =>
    facts['n'] === 7 ? { decision: 'deny', reason: 'not seven' } : { decision: 'allow', reason: '' },
};

const toolsOf = (): readonly Tool[] => {
  const slow = countingTool('count.slow', { effect: 'actuate' }).tool;
  return [
    countingTool('count.up').tool,
    countingTool('count.safe', { effect: 'read', replay: 'safe' }).tool,
    // Time passes in it, so that a link may be lost, or a person may speak, meanwhile.
    {
      ...slow,
      run: async (args, call) => {
        await new Promise<void>((resolve) => {
          call.clock.after(400, resolve);
          call.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        call.signal.throwIfAborted();
        return slow.run(args, call);
      },
    },
  ];
};

/** A plan carried out over as many lives of the runtime cell as its cuts need. */
export class RandomRemoteRun {
  readonly plan: RemotePlan;
  readonly #tools = toolsOf();
  readonly #disk = new MemoryLogDisk();
  readonly #clock = new ManualClock();
  #peer: RemotePeer | undefined;
  rig!: RuntimeRig;

  constructor(plan: RemotePlan) {
    this.plan = plan;
  }

  get app(): Application {
    return remoteApp({ waitMs: 600_000 });
  }

  parts(): ReplayParts {
    return replayParts(this.rig.disk, this.app, { tools: this.#tools });
  }

  get runId(): string | undefined {
    return this.rig.of('intent.accepted')[0]?.run_id;
  }

  async carryOut(): Promise<void> {
    for (const cut of [...this.plan.cuts, undefined]) {
      await this.#live(cut);
      if (!this.rig.dead && this.#isOver) return;
    }
  }

  get #isOver(): boolean {
    return this.rig.of('run.finished').length > 0 && this.rig.cell.status().runs.length === 0;
  }

  async #live(cut: Cut | undefined): Promise<void> {
    const { rig, runtimes } = await remoteRig(this.#tools, {
      ...{ disk: this.#disk, clock: this.#clock, remote: { waitMs: 600_000 } },
      ...(this.plan.judged ? { hooks: [CAREFUL] } : {}),
      ...(cut ? { cut } : {}),
    });
    this.rig = rig;
    if (rig.dead) return;
    const peer = new RemotePeer(runtimes);
    this.#peer = peer;
    peer.pongs = true;
    if (this.plan.tongue === 'acp') this.#serveAcp(peer);
    else agentOf(peer, (run) => this.#work(run));
    peer.connect();
    if (rig.of('intent.accepted').length === 0) void go(rig).catch(() => {});
    for (const { events, what } of [...this.plan.nudges].sort((a, b) => a.events - b.events)) {
      await rig.until(() => this.#isOver || rig.events.length >= events, `event ${events}`);
      if (this.#isOver || rig.dead) break;
      await this.#nudge(what);
    }
    await rig.until(() => this.#isOver, 'the end');
  }

  async #nudge(what: Nudge['what']): Promise<void> {
    const { rig, runId } = this;
    if (runId === undefined) return;
    const { control } = rig.cell;
    let done = false;
    const acts = {
      steer: () => control.message(runId, { kind: 'steer', text: 'to the left' }, PERSON),
      follow_up: () => control.message(runId, { kind: 'follow_up', text: 'and home' }, PERSON),
      pause: async () => {
        await control.pause(runId, 'hold');
        await new Promise<void>((resolve) => void this.#clock.after(700, resolve));
        await control.resume(runId);
      },
      cancel: () => rig.cell.cancel(runId, 'enough'),
      // The network breaks, and the runtime goes on with its session.
      link: async () => {
        this.#peer!.cut();
        this.#peer!.connect({ resume: true });
      },
    };
    const end = () => {
      done = true;
    };
    void (async () => await acts[what]())().then(end, end);
    await rig.until(() => done || this.#isOver, what);
  }

  /** By the contract: ids of calls are the same in each life, so that what was done is not done again. */
  async #work(run: RemoteAgent): Promise<void> {
    for (const [i, step] of this.plan.steps.entries()) {
      if (step.what === 'phase') await run.phase(step.name, { at: i }, `batch ${i}`);
      if (step.what === 'calls')
        await Promise.all(step.calls.map(({ tool, args }, n) => run.call(`c${i}-${n}`, tool, args)));
    }
    run.finish('all done', this.plan.status);
  }

  #serveAcp(peer: RemotePeer): void {
    const agent = new MemoryAgent(this.#clock, {
      script: async ({ tools, say, cancelled }) => {
        for (const step of this.plan.steps) {
          if (cancelled.aborted) return undefined;
          if (step.what === 'says') await say(step.text);
          if (step.what === 'calls')
            await Promise.all(
              step.calls.map(({ tool, args }) =>
                tools.call(tool.replace('.', '_'), args as never).catch(() => {}),
              ),
            );
        }
        await tools.call('run_finish', { status: this.plan.status, reason: 'all done' });
        return undefined;
      },
    });
    serveAcpAgent(peer, agent.parts({ silenceMs: 600_000 }));
  }
}
