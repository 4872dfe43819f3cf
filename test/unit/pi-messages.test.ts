import { beforeAll, describe, expect, it } from 'vitest';
import { PiHarness, type PiHarnessOptions } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { EdgeError, type ModelRequest } from '../../contract/index.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp, finish, tool } from '../support/agent-apps.ts';
import { AgentContext, type AgentContextOptions } from '../support/agent-context.ts';

beforeAll(async () => {
  await loadPi();
}, 60_000);

const look = tool('robot.look', {}, async () => ({ result: { wall: true } }));
const done: Line = { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'done' } }] };
const lookLine: Line = { calls: [{ name: 'robot_look', raw: '{}' }] };

function run(context: AgentContext, options: PiHarnessOptions = {}) {
  return new PiHarness(agentApp([]), options).execute(context.context);
}

function contextOf(options: Omit<AgentContextOptions, 'tools'>): AgentContext {
  return new AgentContext({ ...options, tools: [look, finish] });
}

const texts = (request: ModelRequest | undefined) =>
  request?.messages.map(({ role, text }) => `${role}: ${text}`);

/** The same model with another length of context, tokens. */
function withContext(model: ScriptedModel, context: number): ScriptedModel {
  return Object.assign(model, { info: { ...model.info, context } });
}

describe('what people say to a Pi session', () => {
  it('steers between two turns and follows up when it would stop', async () => {
    let context!: AgentContext;
    const model = new ScriptedModel(async (request): Promise<Line> => {
      const turn = turnOf(request);
      if (turn === 0) {
        await context.say({ kind: 'follow_up', text: 'And then?', messageId: 'm2' });
        await context.say({ kind: 'steer', text: 'Look left.', messageId: 'm1' });
        return lookLine;
      }
      return { text: `answer ${turn}` };
    });
    context = contextOf({ model });
    const outcome = await run(context);
    expect(outcome).toMatchObject({ status: 'succeeded', reason: 'answer 2' });
    expect(texts(model.requests[1])?.slice(-2)).toEqual(['tool: {"wall":true}', 'user: Look left.']);
    expect(texts(model.requests[2])?.slice(-2)).toEqual(['assistant: answer 1', 'user: And then?']);
  });

  it('counts each message once over restarts', async () => {
    const model = new ScriptedModel((request) => (turnOf(request) === 0 ? lookLine : done));
    const said = [{ kind: 'steer', text: 'Look left.', messageId: 'm1' }] as const;
    const first = contextOf({ model, said });
    await run(first);
    // The log tells the message again: the session knows it.
    const cut = first.session.slice(0, 7);
    const second = contextOf({ model, said, session: cut, resume: { phase: 'agent', facts: {} } });
    await run(second);
    const all = [...cut, ...second.session].map(({ entry }) => JSON.stringify(entry));
    expect(all.filter((entry) => entry.includes('Look left.'))).toHaveLength(1);
  });

  it('switches the model in mid-session, also for the attempts after it', async () => {
    let context!: AgentContext;
    const model = new ScriptedModel(async (request): Promise<Line> => {
      if (turnOf(request) === 0) {
        await context.say({ kind: 'model', model: 'large', messageId: 'm1' });
        return lookLine;
      }
      return turnOf(request) === 1 ? lookLine : done;
    });
    context = contextOf({ model });
    await run(context);
    expect(model.requests.map(({ need }) => need?.prefer)).toEqual([undefined, ['large'], ['large']]);
    const again = contextOf({
      model,
      session: context.session.slice(0, -3),
      resume: { phase: 'agent', facts: {} },
    });
    await run(again);
    expect(model.requests.at(-1)?.need?.prefer).toEqual(['large']);
  });

  it('labels an entry and refuses a label on nothing', async () => {
    let context!: AgentContext;
    const faults: unknown[] = [];
    const model = new ScriptedModel(async (request): Promise<Line> => {
      if (turnOf(request) > 0) return done;
      await context.say({ kind: 'label', entryId: 'e4', text: 'begin', messageId: 'm1' });
      await context
        .say({ kind: 'label', entryId: 'e99', text: 'x', messageId: 'm2' })
        .catch((e) => faults.push(e));
      return lookLine;
    });
    context = contextOf({ model });
    await run(context);
    expect(context.session.map(({ entry }) => entry)).toContainEqual(
      expect.objectContaining({ type: 'label', targetId: 'e4', label: 'begin', messageId: 'm1' }),
    );
    expect(faults).toEqual([expect.objectContaining({ code: 'schema.invalid' })]);
  });

  it('compacts when it is asked to: the summary is asked of our models and stands for what was before', async () => {
    let context!: AgentContext;
    const long = 'x'.repeat(6_000);
    const model = new ScriptedModel(async (request): Promise<Line> => {
      if (request.purpose === 'compaction') return { text: 'SUMMARY: walls everywhere' };
      const turn = model.requests.filter(({ purpose }) => purpose === 'agent turn').length;
      if (turn === 3) await context.say({ kind: 'compact', text: 'the walls', messageId: 'm1' });
      return turn < 5 ? { ...lookLine, text: long } : done;
    });
    context = contextOf({ model });
    const outcome = await run(context);
    expect(outcome.status).toBe('succeeded');
    const summary = model.requests.find(({ purpose }) => purpose === 'compaction');
    expect(summary?.messages.at(-1)?.text).toMatch(/Pay attention to: the walls$/);
    expect(summary?.tools).toBeUndefined();
    expect(texts(model.requests.at(-1))?.join('\n')).toContain('SUMMARY: walls everywhere');
    expect(model.requests.at(-1)!.messages.length).toBeLessThan(model.requests.at(-2)!.messages.length + 3);
    expect(context.session.map(({ entry }) => entry)).toContainEqual(
      expect.objectContaining({ type: 'compaction', messageId: 'm1' }),
    );
  });
});

describe('a forked Pi session', () => {
  async function original(): Promise<AgentContext> {
    const model = new ScriptedModel((request) => (turnOf(request) < 2 ? lookLine : done));
    const context = contextOf({ model });
    await run(context);
    return context;
  }

  it('goes on from an entry with another message', async () => {
    const { session } = await original();
    const model = new ScriptedModel(() => ({ text: 'I turned left.' }));
    const at = session.findIndex(({ entry }) => JSON.stringify(entry).includes('"role":"toolResult"'));
    const said = [
      { kind: 'model', model: 'small', messageId: 'm0' },
      { kind: 'steer', text: 'Go left instead.', messageId: 'm1' },
    ] as const;
    const fork = contextOf({ model, session: session.slice(0, at + 1), said });
    expect(await run(fork)).toMatchObject({
      status: 'succeeded',
      reason: 'I turned left.',
      summary: { turns: 1 },
    });
    expect(texts(model.requests[0])?.at(-1)).toBe('user: Go left instead.');
    expect(model.requests[0]?.need?.prefer).toEqual(['small']);
    // Its entries hang below the one it was forked from.
    expect(fork.session[0]?.parentId).toBe(session[at]?.entryId);
  });

  it('goes on from the end of a run with a message, and ends at once without one', async () => {
    const { session } = await original();
    const model = new ScriptedModel(() => ({ text: 'You are welcome.' }));
    const said = [{ kind: 'steer', text: 'Thanks.', messageId: 'm1' }] as const;
    expect(await run(contextOf({ model, session, said }))).toMatchObject({ reason: 'You are welcome.' });
    expect(await run(contextOf({ model, session }))).toMatchObject({ status: 'succeeded', reason: 'done' });
    expect(model.requests).toHaveLength(1);
  });

  it('does not make calls of the entry it was forked from when somebody says something else', async () => {
    const { session } = await original();
    const at = session.findIndex(({ entry }) => JSON.stringify(entry).includes('toolCall'));
    const model = new ScriptedModel((request) => (turnOf(request) < 2 ? { text: 'Fine.' } : done));
    const said = [{ kind: 'steer', text: 'Stop looking.', messageId: 'm1' }] as const;
    const fork = contextOf({ model, session: session.slice(0, at + 1), said });
    await run(fork);
    expect(fork.calls).toEqual([]);
    const other = contextOf({ model, session: session.slice(0, at + 1) });
    await run(other);
    expect(other.calls).toMatchObject([{ name: 'robot.look', originId: 'call_1_1' }]);
  });
});

describe('a Pi session that was cut off before its first phase', () => {
  const marks = (context: AgentContext) =>
    context.session.filter(({ entry }) => entry['customType'] === 'auraison.forked').length;

  it('is no fork of itself', async () => {
    const model = new ScriptedModel((request) => (turnOf(request) < 1 ? lookLine : done));
    const first = contextOf({ model });
    await run(first);
    // Entries were durable, a phase was not: nothing says where it stood but the session itself.
    for (const kept of [1, 2, 3]) {
      const second = contextOf({ model, session: first.session.slice(0, kept), inherited: 0 });
      expect(await run(second)).toMatchObject({ status: 'succeeded', reason: 'done' });
      expect(marks(second)).toBe(0);
    }
  });

  it('is marked as a fork once', async () => {
    const model = new ScriptedModel((request) => (turnOf(request) < 1 ? lookLine : done));
    const origin = contextOf({ model });
    await run(origin);
    const way = origin.session.slice(0, 4);
    const first = contextOf({ model, session: way });
    await run(first);
    expect(marks(first)).toBe(1);
    const own = first.session.slice(0, 1);
    const second = contextOf({ model, session: [...way, ...own], inherited: way.length });
    await run(second);
    expect(marks(second)).toBe(0);
  });
});

describe('entries that are too large for an event', () => {
  it('are kept as blobs and put back', async () => {
    const blobs = new MemoryBlobStore();
    const huge = 'w'.repeat(300_000);
    const model = new ScriptedModel((request) =>
      turnOf(request) === 0 ? { ...lookLine, text: huge } : done,
    );
    const first = contextOf({ model });
    await run(first, { blobs });
    for (const { entry } of first.session) expect(JSON.stringify(entry).length).toBeLessThan(130_000);
    const cut = first.session.slice(0, 6);
    const second = contextOf({ model, session: cut, resume: { phase: 'agent', facts: {} } });
    await run(second, { blobs });
    expect(model.requests.at(-1)!.messages.some(({ text }) => text === huge)).toBe(true);
    // A blob that is gone ends the run by a typed fault.
    const third = contextOf({ model, session: cut, resume: { phase: 'agent', facts: {} } });
    await expect(run(third, { blobs: new MemoryBlobStore() })).rejects.toMatchObject({
      code: 'run.interrupted',
    });
  });
});

describe('models that fail', () => {
  it('are asked again for a while, and nothing is called twice', async () => {
    let failures = 0;
    let context!: AgentContext;
    const model = new ScriptedModel(async (request): Promise<Line> => {
      if (failures++ < 3) {
        throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'm' });
      }
      return turnOf(request) === 0 ? lookLine : done;
    });
    context = contextOf({ model });
    let over = false;
    const running = run(context).finally(() => {
      over = true;
    });
    while (!over) {
      await context.clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await running).status).toBe('succeeded');
    expect(context.calls.map(({ name }) => name)).toEqual(['robot.look', 'run.finish']);
  });

  it('end the run with their fault when they go on failing', async () => {
    const model = new ScriptedModel(() => {
      throw new EdgeError('model.unavailable', {
        operation: 'complete',
        subject: 'm',
        message: 'nobody there',
      });
    });
    const context = contextOf({ model });
    await expect(run(context, { patienceMs: 0 })).rejects.toMatchObject({ code: 'model.unavailable' });
    // A later attempt leaves the failed answer out and asks anew.
    const other = new ScriptedModel(() => done);
    const again = contextOf({
      model: other,
      session: context.session,
      resume: { phase: 'agent', facts: {} },
    });
    expect((await run(again)).status).toBe('succeeded');
    expect(texts(other.requests[0])?.slice(1)).toEqual(['user: Go.']);
  });

  it('make room where the conversation is too long for them, and go on', async () => {
    let refused = false;
    const model = new ScriptedModel((request): Line => {
      if (request.purpose === 'compaction') return { text: 'SUMMARY: nothing but walls' };
      const turn = turnOf(request);
      if (turn === 3 && !refused) {
        refused = true;
        const message = "This model's maximum context length is 8192 tokens. Please reduce the length.";
        throw new EdgeError('model.failed', { operation: 'complete', subject: 'm', message });
      }
      return refused ? done : { ...lookLine, text: 'y'.repeat(60_000) };
    });
    const context = new AgentContext({ model: withContext(model, 200_000), tools: [look, finish] });
    expect(await run(context)).toMatchObject({ status: 'succeeded', reason: 'done' });
    expect(texts(model.requests.at(-1))?.join()).toContain('SUMMARY: nothing but walls');
  });

  it('are not asked again when a policy denied them', async () => {
    const model = new ScriptedModel(() => {
      throw new EdgeError('policy.denied', { operation: 'complete', subject: 'm' });
    });
    await expect(run(contextOf({ model }))).rejects.toMatchObject({ code: 'policy.denied' });
    expect(model.requests).toHaveLength(1);
  });
});

describe('an abort', () => {
  it('is not held up by a model, a tool or a compaction that is deaf', async () => {
    for (const where of ['model', 'tool'] as const) {
      let reached!: () => void;
      const there = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const deaf = () => {
        reached();
        return new Promise<never>(() => {});
      };
      const model = new ScriptedModel(() => (where === 'model' ? deaf() : lookLine));
      const context = new AgentContext({ model, tools: [{ ...look, run: deaf }] });
      const running = run(context);
      await there;
      context.abort.abort(new EdgeError('run.cancelled', { operation: 'cancel', subject: 'run' }));
      await expect(running).rejects.toMatchObject({ code: 'run.cancelled' });
    }
  });
});
