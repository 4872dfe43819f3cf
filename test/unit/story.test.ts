import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AgentEvent,
  domainOf,
  EVENT_DOMAINS,
  EVENT_KINDS,
  EVENT_PAYLOADS,
  type EventKind,
  METHODS,
  type NewEvent,
  type Sample,
  ToolCall,
} from '../../contract/index.ts';
import type { DriveOrigin } from '../../daemon/execution/control/step-origin.ts';
import type { Executed } from '../../daemon/execution/door/index.ts';
import { serveRecording } from '../../daemon/execution/recording/index.ts';
import { BACKLOG_MAX, EventFeed } from '../../daemon/execution/story/event-feed.ts';
import { EVENT_JSON_MAX, isTold, samplesOf } from '../../daemon/execution/story/event-samples.ts';
import { ExecutedActions } from '../../daemon/execution/story/index.ts';
import { CdrReader, encodeTwistStamped, TWIST_STAMPED } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder, sampleOf } from '../support/recorder.ts';
import { makeRecording } from '../support/recording.ts';
import { arbitraryOf } from '../support/schema-arbitrary.ts';
import { TinyLog, uuid } from '../support/tiny-log.ts';

/** The first of January 2025, where simulations begin. */
const SIM_START = 1_735_689_600_000_000_000n;
const SECOND = 1_000_000_000n;

function eventOf(kind: EventKind, payload: unknown): AgentEvent {
  const log = new TinyLog('runtime');
  return log.append({ kind, run_id: uuid(7), payload } as NewEvent);
}

const jsonOf = (sample: Sample) => JSON.parse(new CdrReader(sample.bytes, sample.type).string());

describe('an event in the recording', () => {
  it.each(EVENT_KINDS)('%s: one line and one JSON, within their bounds, whatever it holds', (kind) => {
    fc.assert(
      fc.property(
        arbitraryOf(EVENT_PAYLOADS[kind] as unknown as Parameters<typeof arbitraryOf>[0]),
        (payload) => {
          const event = eventOf(kind, payload);
          const [log, json] = samplesOf(event, SIM_START);
          expect(log!.bytes.length).toBeLessThan(2_048);
          expect(json!.bytes.length).toBeLessThan(EVENT_JSON_MAX + 64);
          const { event_id, run_id, seq } = event;
          expect(jsonOf(json!)).toMatchObject({ event_id, run_id, seq, kind, domain: domainOf(event) });
          const reader = new CdrReader(log!.bytes, log!.type);
          reader.stamp();
          expect([10, 20, 30, 40]).toContain(reader.uint8());
          expect(reader.string()).toBe(`auraison/run/${run_id}`);
          expect(reader.string()).not.toMatch(/\n|undefined|\[object/);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('a large payload is cut, and says how large it is and whose it is', () => {
    const facts = { text: 'x'.repeat(100_000), more: Array.from({ length: 500 }, (_, i) => ({ i })) };
    const event = eventOf('run.phase', { phase: 'a', reason: 'b', facts });
    const cut = jsonOf(samplesOf(event, SIM_START)[1]!);
    expect(cut).toMatchObject({ event_id: event.event_id, cut: true, payload: { phase: 'a' } });
    expect(cut.payload_bytes).toBeGreaterThan(100_000);
  });
});

describe('domains', () => {
  it.each(EVENT_KINDS)('%s names its domain in every cell', (kind) => {
    for (const cell of ['execution', 'runtime', 'memory', 'link'] as const)
      expect(EVENT_DOMAINS).toContain(domainOf({ kind, cell }));
  });

  it('the events of a call are made of the fields of ToolCall', () => {
    const { call_id, tool, args, effect, replay, deadline_ms, result, error } = ToolCall.properties;
    expect(EVENT_PAYLOADS['tool.called'].properties).toMatchObject({
      call_id,
      tool,
      args,
      effect,
      replay,
      deadline_ms,
    });
    expect(EVENT_PAYLOADS['tool.returned'].properties).toMatchObject({ call_id, tool, result, error });
  });
});

function feedOn(isWall: boolean) {
  const clock = new ManualClock();
  const log = new TinyLog('runtime');
  const told: Sample[] = [];
  const dropped: Record<string, number> = {};
  const looks = { count: 0 };
  const feed = new EventFeed({
    ...{ clock, isWall, cells: ['runtime'], report: () => {} },
    openReader: () => {
      const reader = log.reader();
      return {
        ...{ lastSeq: () => reader.lastSeq(), close: () => reader.close() },
        read: (...args) => {
          looks.count += 1;
          return reader.read(...args);
        },
      };
    },
    publish: (sample) => told.push(sample),
    dropped: (topic, count) => {
      dropped[topic] = (dropped[topic] ?? 0) + count;
    },
  });
  const seen = (received: bigint) =>
    feed.observe({ topic: '/odom', type: 'x', stamp: received, received, bytes: new Uint8Array() });
  const append = (phase: string) =>
    log.append({ kind: 'run.phase', payload: { phase, reason: '' } }, clock.now());
  const phases = () =>
    told
      .filter(({ topic }) => topic === '/auraison/events')
      .map((sample) => [jsonOf(sample).payload.phase, sample.received] as const);
  return { clock, log, feed, seen, append, phases, dropped, looks };
}

describe('the feed of events', () => {
  it('tells each once and in order, in the time of the simulation at which it happened', async () => {
    const { clock, feed, seen, append, phases } = feedOn(false);
    append('before the recording');
    feed.start();
    append('early');
    await clock.advance(200);
    expect(phases()).toEqual([]);
    for (let i = 0; i < 5; i++) {
      // A simulation that goes ten times as fast as this host.
      seen(SIM_START + BigInt(i) * SECOND);
      append(`p${i}`);
      await clock.advance(100);
    }
    await clock.advance(500);
    // It stands still, and what happens then happens there.
    append('while it stands');
    feed.stop();
    expect(phases()).toEqual([
      ['early', SIM_START],
      ...Array.from({ length: 5 }, (_, i) => [`p${i}`, SIM_START + BigInt(i) * SECOND]),
      ['while it stands', SIM_START + 4n * SECOND],
    ]);
  });

  it('reads a log where it grew, within a tenth of a second, and else once a second', async () => {
    const { clock, feed, append, phases, looks } = feedOn(true);
    feed.start();
    await clock.advance(1_050);
    looks.count = 0;
    await clock.advance(10_000);
    expect(looks.count).toBeLessThanOrEqual(11);
    append('with news');
    feed.grew('runtime');
    await clock.advance(100);
    append('news was lost');
    await clock.advance(100);
    expect(phases().map(([phase]) => phase)).toEqual(['with news', 'news was lost']);
    for (let i = 0; i < 300; i++) append(`p${i}`);
    feed.grew('runtime');
    await clock.advance(400);
    expect(phases()).toHaveLength(302);
    append('much later');
    await clock.advance(1_000);
    expect(phases().at(-1)![0]).toBe('much later');
    feed.stop();
  });

  it('of a robot by wall time keeps the time of each event', async () => {
    const { clock, feed, append, phases } = feedOn(true);
    feed.start();
    const { ts } = append('one');
    await clock.advance(300);
    expect(phases()).toEqual([['one', BigInt(ts)]]);
    feed.stop();
  });

  it('drops the oldest of more than it may have waiting, and counts them', async () => {
    const { clock, feed, seen, append, phases, dropped } = feedOn(false);
    feed.start();
    for (let i = 0; i < BACKLOG_MAX + 300; i++) append(`p${i}`);
    await clock.advance(100);
    expect(dropped).toEqual({ '/auraison/log': 300, '/auraison/events': 300 });
    seen(SIM_START);
    feed.stop();
    expect(phases()).toHaveLength(BACKLOG_MAX);
    expect(phases()[0]![0]).toBe('p300');
  });

  it('leaves out what only a replay needs, and what the recording says of itself', () => {
    expect(EVENT_KINDS.filter((kind) => !isTold({ kind }))).toEqual(
      expect.arrayContaining(['session.entry', 'robot.observed', 'segment.sealed', 'losses.recorded']),
    );
    for (const kind of [
      'tool.called',
      'policy.decided',
      'plan.made',
      'approval.answered',
      'lease.granted',
    ] as const)
      expect(isTold({ kind })).toBe(true);
  });
});

describe('executed actions', () => {
  const origin: DriveOrigin = {
    ...{ asked: { linear: 3, angular: 0.2 }, reason: 'speed', chunk: 4, observation: SIM_START },
    ...{ policy: 'pursuit', policyHash: 'a'.repeat(64), lease: 9 },
    verdict: 'limited',
    by: 'drive',
  };
  const command = (asker: Executed['asker']['kind'], more: Partial<Executed> = {}): Executed => {
    const twist = { linear: { x: 0.5, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0.2 } };
    const bytes = encodeTwistStamped({ header: { stamp: SIM_START, frame_id: 'base_link' }, twist });
    const sample = { topic: '/cmd_vel', type: TWIST_STAMPED, stamp: SIM_START, received: SIM_START, bytes };
    return { asker: { kind: asker, name: '' }, sample, ...more };
  };
  const noted = (one: Executed) => {
    const told: Sample[] = [];
    const actions = new ExecutedActions({
      publish: (sample) => told.push(sample),
      motion: (mover) => (mover === 'base' ? { id: uuid(1), run: uuid(2) } : undefined),
      joints: () => [],
    });
    actions.note(one);
    return { told, actions };
  };

  it('hold asked and applied values, chunk, observation, policy, lease, motion and run', () => {
    const [sample] = noted(command('drive', { origin })).told;
    expect(sample).toMatchObject({ topic: '/auraison/actions/drive', stamp: SIM_START });
    expect(jsonOf(sample!)).toMatchObject({
      ...{ controller: 'drive', asked: [3, 0.2], applied: [0.5, 0.2], verdict: 'limited', reason: 'speed' },
      ...{ chunk: 4, observation_ns: SIM_START.toString(), policy: 'pursuit', policy_hash: 'a'.repeat(64) },
      ...{ lease: 9, motion_id: uuid(1), run_id: uuid(2) },
    });
  });

  it('of a hand at the stick belong to no run', () => {
    const [sample] = noted(command('drive', { origin: { ...origin, by: 'teleoperation' } })).told;
    expect(jsonOf(sample!)).toMatchObject({ controller: 'teleoperation', motion_id: '', lease: 9 });
    expect(jsonOf(sample!)).not.toHaveProperty('run_id');
  });

  it('are left to controllers, which record their own, and never throw', () => {
    expect(noted(command('controller')).told).toEqual([]);
    const broken = command('drive');
    const { told, actions } = noted({ ...broken, sample: { ...broken.sample, bytes: new Uint8Array(6) } });
    expect([told.length, actions.unreadable]).toEqual([0, 1]);
  });
});

describe('a segment that is sealed', () => {
  it('holds the events that were in the log by then, though they were not on the bus yet', async () => {
    const { dataDir, remove } = makeFolder();
    const told = ['run.phase', 'run.finished'];
    const rig = makeRecording(dataDir, {
      story: {
        flush: () => {
          for (const kind of told.splice(0)) rig.recording.offer(sampleOf(`/auraison/${kind}`, 1));
        },
        stop: () => {},
      },
    });
    await rig.start();
    rig.recording.offer(sampleOf('/odom', 0));
    const bus = new FakeBus(new ManualClock());
    serveRecording(bus, rig.recording);
    const segments = await bus.request('execution', METHODS.execution.recordSeal, {});
    expect(segments).toMatchObject([{ messages: 3 }]);
    await rig.stop();
    remove();
  });
});
