import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness, type PiHarnessOptions } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import type { ModelRequest } from '../../contract/index.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { AgentContext, type AgentContextOptions } from '../support/agent-context.ts';
import { until } from '../support/daemon.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const look = tool('robot.look', {}, async () => ({ result: { wall: true } }));
const done: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };
const call = (...names: string[]): Line => ({ calls: names.map((name) => ({ name, args: {} })) });
const last = ({ messages }: ModelRequest) => messages.at(-1)!.text;

function attended(options: AgentContextOptions): AgentContext {
  const context = new AgentContext(options);
  Object.assign(context.context.intent, { attended: true });
  return context;
}

const run = (context: AgentContext, options: PiHarnessOptions = {}) =>
  new PiHarness(agentApp([]), options).execute(context.context);
const waits = (context: AgentContext) =>
  context.events.filter(
    ({ kind, payload }) => kind === 'run.phase' && (payload as { phase: string }).phase === 'waiting',
  );
const waiting = (context: AgentContext, times: number) =>
  until(() => waits(context).length >= times, `it waits for the ${times}. time`);

describe('a Pi session with a person', () => {
  it('waits after each answer, also after run.finish, goes on with what is said, and ends when it is closed', async () => {
    const model = new ScriptedModel(
      (request): Line => (last(request) === 'And now?' ? done : { text: `heard: ${last(request)}` }),
    );
    const heard: string[] = [];
    const context = attended({ model, tools: [look, finish] });
    const end = run(context, { onText: (_, kind, text) => heard.push(`${kind} ${text}`) });
    await waiting(context, 1);
    await context.say({ kind: 'steer', text: 'And now?', messageId: 'm1' });
    await waiting(context, 2);
    await context.say({ kind: 'follow_up', text: 'Once more.', messageId: 'm2' });
    await waiting(context, 3);
    expect(last(model.requests[2]!)).toBe('Once more.');
    await context.say({ kind: 'close', messageId: 'm3' });
    expect(await end).toMatchObject({ status: 'succeeded', reason: 'heard: Once more.' });
    expect(heard.join('')).toContain('Once more.');
  });

  it('stops: the call under way ends, no other call of the answer is made, and nothing happens until somebody speaks', async () => {
    const made: string[] = [];
    let ended = 'no';
    const drive = tool('robot.drive', {}, (_args, { signal }) => {
      made.push('drive');
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          ended = String((signal.reason as Error).message);
          reject(signal.reason as Error);
        }),
      );
    });
    const model = new ScriptedModel(
      (request): Line =>
        last(request) === 'Look.'
          ? { text: 'I see a wall' }
          : call('robot_drive', 'robot_look', 'robot_drive'),
    );
    const context = attended({ model, tools: [look, drive, finish] });
    const end = run(context);
    await until(() => made.length === 1, 'it drives');
    // Not heard before the stop, so never heard.
    await context.say({ kind: 'follow_up', text: 'Then dance.', messageId: 'm1' });
    await context.say({ kind: 'stop', messageId: 'm2' });
    expect(ended).toContain('a person stopped it');
    await waiting(context, 1);
    expect(made).toEqual(['drive']);
    expect(model.requests).toHaveLength(1);
    await context.say({ kind: 'steer', text: 'Look.', messageId: 'm3' });
    await waiting(context, 2);
    expect(JSON.stringify(model.requests[1]!.messages)).not.toContain('dance');
    await context.say({ kind: 'close', messageId: 'm4' });
    expect(await end).toMatchObject({ reason: 'I see a wall' });
    expect(made).toEqual(['drive']);

    // The runtime dies after the stop: the log says all that was said again, and nothing moves.
    const cut = context.session.slice(
      0,
      1 + context.session.findIndex(({ entry }) => entry['customType'] === 'auraison.stopped'),
    );
    const said = [
      { kind: 'follow_up', text: 'Then dance.', messageId: 'm1' },
      { kind: 'stop', messageId: 'm2' },
    ] as const;
    const again = attended({
      model,
      tools: [look, drive, finish],
      session: cut,
      said,
      resume: { phase: 'agent', facts: {} },
    });
    const asked = model.requests.length;
    const second = run(again);
    await waiting(again, 1);
    await again.say({ kind: 'close', messageId: 'm5' });
    expect(await second).toMatchObject({ status: 'succeeded', reason: 'stopped' });
    expect({ made, asked: model.requests.length }).toEqual({ made: ['drive'], asked });
  });

  it('hears a word or drops it when a stop comes right behind, never both, and answers nothing that was stopped', async () => {
    const model = new ScriptedModel(() => ({ text: 'yes' }));
    const context = attended({ model, tools: [finish] });
    const end = run(context);
    await waiting(context, 1);
    const ids: string[] = [];
    for (let hops = 0; hops < 40; hops++) {
      const messageId = `word ${hops}`;
      ids.push(messageId);
      void context.say({ kind: 'steer', text: 'Go.', messageId });
      if (hops % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
      for (let i = 0; i < hops; i++) await Promise.resolve();
      await context.say({ kind: 'stop', messageId: `stop ${hops}` });
      const marks = () => context.session.filter(({ entry }) => entry['messageId'] === messageId);
      await until(() => marks().length > 0, `what became of ${messageId}`);
      expect(marks(), `after ${hops} turns`).toHaveLength(1);
    }
    await context.say({ kind: 'close', messageId: 'close' });
    await end;
    const kinds = context.session.flatMap(({ entry }) =>
      ids.includes(String(entry['messageId'])) ? [String(entry['customType'] ?? entry['type'])] : [],
    );
    expect(new Set(kinds)).toEqual(new Set(['auraison.dropped', 'message']));
  });

  it('switches model and thinking in mid-session, and keeps both over a restart', async () => {
    const model = new ScriptedModel((): Line => ({ text: 'yes' }));
    const context = attended({ model, tools: [finish] });
    const end = run(context);
    await waiting(context, 1);
    await context.say({ kind: 'model', model: 'large', messageId: 'm1' });
    await context.say({ kind: 'thinking', level: 'high', messageId: 'm2' });
    await context.say({ kind: 'steer', text: 'Well?', messageId: 'm3' });
    await waiting(context, 2);
    await context.say({ kind: 'close', messageId: 'm4' });
    await end;
    expect(model.requests.map(({ need, thinking }) => [need?.prefer, thinking])).toEqual([
      [undefined, undefined],
      [['large'], 'high'],
    ]);
    const session = context.session.slice(0, -1);
    const again = attended({ model, tools: [finish], session, resume: { phase: 'waiting', facts: {} } });
    const second = run(again);
    await waiting(again, 1);
    await again.say({ kind: 'steer', text: 'Still?', messageId: 'm5' });
    await waiting(again, 2);
    expect(model.requests.at(-1)).toMatchObject({ need: { prefer: ['large'] }, thinking: 'high' });
    await again.say({ kind: 'close', messageId: 'm6' });
    await second;
  });
});
