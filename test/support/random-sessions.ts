import type { AgentEvent } from '../../contract/index.ts';
import type { Plan, Saying } from './random-plan.ts';
import { PERSON, type RuntimeRig } from './runtime-rig.ts';

/** Talks with a session as its plan says, over several lives of its runtime. What was said once is not said again. */
export class RandomTalk {
  readonly #left: Saying[];
  #isPaused = false;
  #words = 0;

  constructor({ sayings }: Plan) {
    this.#left = [...sayings];
  }

  /** Settles when the session is over, or its runtime is dead. */
  async talk(rig: RuntimeRig, runId: string, over: () => boolean): Promise<void> {
    const done = () => over() || rig.dead;
    for (let next = this.#left.shift(); next && !done(); next = this.#left.shift()) {
      await rig.until(() => done() || isDue(next!, ofRun(rig, runId)), `the moment to ${next.what}`);
      if (!done()) await this.#say(rig, runId, next, over);
    }
    if (this.#isPaused && !done()) await this.#act(rig, runId, 'resume', over);
    this.#isPaused = false;
    await this.#close(rig, runId, over);
  }

  async #close(rig: RuntimeRig, runId: string, over: () => boolean): Promise<void> {
    await rig.until(() => over() || isAtRest(ofRun(rig, runId)), 'the last rest');
    if (over() || rig.dead) return;
    if (!ofRun(rig, runId).some((event) => event.kind === 'run.message' && event.payload.kind === 'close'))
      await this.#act(rig, runId, 'close', over);
    await rig.until(over, 'the end of the session');
  }

  async #say(rig: RuntimeRig, runId: string, said: Saying, over: () => boolean): Promise<void> {
    for (let i = 0; i < said.hops; i++) await Promise.resolve();
    const acted = this.#act(rig, runId, said.what, over);
    if (said.waits) await acted;
  }

  async #act(rig: RuntimeRig, runId: string, what: Saying['what'], over: () => boolean): Promise<void> {
    if (what === 'pause') this.#isPaused = true;
    if (what === 'resume') this.#isPaused = false;
    let answered = false;
    const end = () => {
      answered = true;
    };
    void this.#sent(rig, runId, what).then(end, end);
    await rig.until(() => answered || over(), `the answer to ${what}`);
  }

  #sent({ cell: { control } }: RuntimeRig, runId: string, what: Saying['what']): Promise<unknown> {
    const message = (said: Parameters<typeof control.message>[1]) => control.message(runId, said, PERSON);
    if (what === 'pause') return control.pause(runId, 'hold');
    if (what === 'resume') return control.resume(runId);
    if (what === 'label') return message({ kind: 'label', entryId: 'e1', text: 'here' });
    if (what === 'model') return message({ kind: 'model', model: 'large' });
    if (what === 'thinking') return message({ kind: 'thinking', level: 'high' });
    if (what === 'steer' || what === 'follow_up')
      return message({ kind: what, text: `word ${++this.#words}` });
    return message({ kind: what });
  }
}

function ofRun(rig: RuntimeRig, runId: string): readonly AgentEvent[] {
  return rig.events.filter((event) => event.run_id === runId);
}

function isDue({ when }: Saying, events: readonly AgentEvent[]): boolean {
  // What never comes is not waited for: a session at rest goes on only when somebody says something.
  if (isAtRest(events)) return true;
  if (typeof when === 'number') return events.length >= when;
  if (when === 'call') return count(events, 'tool.called') > count(events, 'tool.returned');
  if (when === 'answer') return count(events, 'model.called') > count(events, 'model.returned');
  return false;
}

function isAtRest(events: readonly AgentEvent[]): boolean {
  const last = events.findLast(({ kind }) => kind === 'run.phase') as AgentEvent<'run.phase'> | undefined;
  const status = events.findLast(({ kind }) => kind === 'run.status') as AgentEvent<'run.status'> | undefined;
  return last?.payload.phase === 'waiting' || status?.payload.status === 'paused';
}

function count(events: readonly AgentEvent[], kind: AgentEvent['kind']): number {
  return events.filter((event) => event.kind === kind).length;
}
