import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ControllerView, EdgeError, METHODS, type ModelOptions } from '../../contract/index.ts';
import { ShedGate } from '../../daemon/runtime/models/shed-gate.ts';
import { nextShed, RELEASE_MS, SHED_LEVELS, UNSHED } from '../../daemon/runtime/models/shed-ladder.ts';
import { ShedWatch, worstLate } from '../../daemon/runtime/models/shed-watch.ts';
import { request } from '../conformance/language-model.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { controllerView } from '../support/bodies.ts';
import { modelRig } from '../support/model-rig.ts';

const passing = () => new Promise((resolve) => setImmediate(resolve));

/** A model that answers when it is told to, and lets go when its call is ended. */
function held(name: string) {
  const go: (() => void)[] = [];
  const model = new FakeLanguageModel(name, (_request, { signal }: ModelOptions) => {
    return new Promise((resolve, reject) => {
      go.push(() => resolve({ text: name }));
      signal?.addEventListener('abort', () =>
        reject(new EdgeError('run.cancelled', { operation: 'complete', subject: name })),
      );
    });
  });
  return { model, go };
}

function rig(models: Parameters<typeof modelRig>[0], local: readonly string[] = ['near']) {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const gate = new ShedGate(clock);
  const loop = { hz: 100, late: 0, state: 'running' as ControllerView['state'] };
  bus.handle(METHODS.execution.controllerList, async () => [
    controllerView({ state: loop.state, hz: loop.hz, late_recent_ms: loop.late }),
  ]);
  const made = modelRig(models, { clock, shed: gate });
  for (const entry of made.router.entries) {
    // As the composition does for addresses of this host.
    if (!local.includes(entry.name)) Object.assign(entry, { shed: undefined });
    else Object.assign(entry, { shed: gate });
  }
  const events: Record<string, unknown>[] = [];
  const watch = new ShedWatch({
    clock,
    bus,
    gate,
    first: 0.25,
    emit: async (fresh) =>
      void events.push(...fresh.map(({ payload }) => payload as Record<string, unknown>)),
    report: () => {},
  });
  watch.start();
  const later = async (ms: number) => {
    for (let past = 0; past < ms; past += 250) {
      await clock.advance(250);
      await passing();
    }
  };
  return { ...made, clock, bus, gate, loop, watch, events, later };
}

describe('the ladder', () => {
  it('goes up at once, and down one level at a time when it was quiet', () => {
    expect(nextShed(UNSHED, 0.1, 0.25, 0)).toEqual(UNSHED);
    expect(nextShed(UNSHED, 0.25, 0.25, 0).level).toBe('queue');
    expect(nextShed(UNSHED, 0.5, 0.25, 0).level).toBe('fallback');
    let state = nextShed(UNSHED, 0.9, 0.25, 0);
    expect(state.level).toBe('cancel');
    const down: string[] = [];
    for (let now = 0; now <= 4 * RELEASE_MS; now += 500) {
      const next = nextShed(state, 0, 0.25, now);
      if (next.level !== state.level) down.push(`${next.level} ${now}`);
      state = next;
    }
    expect(down).toEqual([`fallback ${RELEASE_MS}`, `queue ${2 * RELEASE_MS}`, `none ${3 * RELEASE_MS}`]);
  });

  it('never jumps down, never sheds where it is off or nothing runs', () => {
    const reading = fc.tuple(fc.double({ min: 0, max: 3, noNaN: true }), fc.integer({ min: 1, max: 3_000 }));
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 60 }), (readings) => {
        let state = UNSHED;
        let now = 0;
        for (const [late, ms] of readings) {
          now += ms;
          const next = nextShed(state, late, 0.25, now);
          const step = SHED_LEVELS.indexOf(next.level) - SHED_LEVELS.indexOf(state.level);
          expect(step).toBeGreaterThanOrEqual(-1);
          expect(nextShed(next, undefined, 0.25, now)).toEqual(UNSHED);
          expect(nextShed(next, late, 0, now)).toEqual(UNSHED);
          state = next;
        }
      }),
    );
  });

  it('looks at the worst loop that runs', () => {
    const view = (name: string, hz: number, late: number, state = 'running') =>
      ({ name, hz, state, late_recent_ms: late }) as ControllerView;
    expect(worstLate([])).toBeUndefined();
    expect(worstLate([view('a', 100, 9, 'stopped')])).toBeUndefined();
    // 4 ms of 10 are worse than 6 of 20.
    expect(worstLate([view('slow', 50, 6), view('quick', 100, 4)])).toMatchObject({
      controller: 'quick',
      late: 0.4,
    });
  });
});

describe('models on this host give way', () => {
  it('by waiting first: a call is held and answered when the loop is in time again', async () => {
    const first = held('near');
    const busy = rig([first.model]);
    // Somebody works, so that the loops are looked at.
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 3;
    await busy.later(500);
    expect(busy.gate.level).toBe('queue');
    const waits = busy.run('run-2').complete(request({ deadlineMs: 60_000 }));
    await passing();
    expect(first.model.asked).toHaveLength(1);
    // What is under way goes on.
    first.go[0]!();
    expect((await under).text).toBe('near');
    busy.loop.late = 0;
    await busy.later(RELEASE_MS + 500);
    expect(busy.gate.level).toBe('none');
    first.go[1]!();
    expect((await waits).text).toBe('near');
    expect(busy.events).toMatchObject([
      { level: 'queue', reason: 'arm is 3 ms late of a period of 10 ms', cancelled: 0 },
      { level: 'none' },
    ]);
  });

  it('then by going elsewhere: another model answers at once, and the near one is not blamed', async () => {
    const near = held('near');
    const busy = rig([near.model, new FakeLanguageModel('far', () => ({ text: 'far' }))]);
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 6;
    await busy.later(500);
    expect(busy.gate.level).toBe('fallback');
    const answer = await busy.run('run-2').complete(request({ deadlineMs: 60_000 }));
    expect(answer.model).toBe('far');
    expect(busy.of('model.returned')[0]).toMatchObject({
      attempts: [{ model: 'near', code: 'model.unavailable', reason: expect.stringMatching(/give way/) }],
    });
    expect(busy.router.models()[0]).toMatchObject({ failures: 0, state: 'unknown' });
    near.go[0]!();
    expect((await under).model).toBe('near');
  });

  it('last by ending what is running: it is answered elsewhere, and the event counts it', async () => {
    const near = held('near');
    const busy = rig([near.model, new FakeLanguageModel('far', () => ({ text: 'far' }))]);
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 8;
    await busy.later(500);
    expect((await under).model).toBe('far');
    expect(busy.events[0]).toMatchObject({ level: 'cancel', cancelled: 1 });
    expect(busy.router.models()[0]).toMatchObject({ failures: 0 });
  });

  it('and where nobody else is left, by waiting until the loop is in time: the same call is answered', async () => {
    const near = held('near');
    const busy = rig([near.model]);
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 9;
    await busy.later(500);
    expect(busy.gate.level).toBe('cancel');
    busy.loop.late = 0;
    await busy.later(4 * RELEASE_MS);
    expect(near.model.asked).toHaveLength(2);
    near.go[1]!();
    expect((await under).text).toBe('near');
  });

  it('but never beyond the deadline of the caller', async () => {
    const near = held('near');
    const busy = rig([near.model]);
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 6;
    await busy.later(500);
    const late = busy.run('run-2').complete(request({ deadlineMs: 3_000 }));
    const code = late.catch(({ code }: EdgeError) => code);
    await busy.later(4_000);
    expect(['model.unavailable', 'deadline.exceeded']).toContain(await code);
    near.go[0]!();
    await under;
  });

  it('not for an execution cell that says nothing, and not for a loop that does not run', async () => {
    const near = held('near');
    const busy = rig([near.model]);
    const under = busy.run().complete(request({ deadlineMs: 60_000 }));
    await passing();
    busy.loop.late = 6;
    await busy.later(500);
    expect(busy.gate.level).toBe('fallback');
    busy.bus.deaf.add(METHODS.execution.controllerList);
    await busy.later(8_000);
    expect(busy.gate.level).toBe('none');
    busy.bus.deaf.clear();
    busy.loop.state = 'stopped';
    await busy.later(2_000);
    expect(busy.gate.level).toBe('none');
    near.go[0]!();
    await under;
  });

  it('asks the execution cell nothing while no model works', async () => {
    const idle = rig([new FakeLanguageModel('near', () => ({ text: 'near' }))]);
    await idle.later(5_000);
    expect(idle.bus.asked).toEqual([]);
  });

  it('a model elsewhere never does', async () => {
    const busy = rig([new FakeLanguageModel('far', () => ({ text: 'far' }))], []);
    busy.gate.set('cancel', 'late');
    expect((await busy.run().complete(request())).text).toBe('far');
  });
});
