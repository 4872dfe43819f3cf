import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ClipInfo, payloadFault, type Sample } from '../../contract/index.ts';
import { makeFolder, payloads, sampleOf } from '../support/recorder.ts';
import { makeRecording, numbersIn } from '../support/recording.ts';
import { until } from '../support/until.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const ring = (durationMs: number, bytesMax = 1 << 30) => [
  { kind: 'ring' as const, bag: 'bag', durationMs, bytesMax },
];

/** A sample that says this number and was received at that millisecond. */
function at(topic: string, number: number, ms: number): Sample {
  const { stamp, received } = sampleOf(topic, ms);
  return { ...sampleOf(topic, number), stamp, received };
}

describe('a clip', () => {
  it('holds exactly the samples from before to after its trigger, as a bag of its own', async () => {
    const { recording, start, stop, events } = makeRecording(dataDir);
    await start();
    // Samples are 1 ms apart by their own clock.
    for (let i = 0; i < 500; i++) recording.offer(sampleOf('/a', i));
    const asked = await recording.clip({ trigger: 'api', reason: 'test', preMs: 50, postMs: 20 });
    expect(asked.state).toBe('recording');
    for (let i = 500; i < 600; i++) recording.offer(sampleOf('/a', i));
    await until(() => payloads(events, 'clip.recorded').length === 1, 'the recording to settle');
    expect(await numbersIn(join(dataDir, 'bags', asked.bag))).toEqual(range(449, 519));
    expect(await recording.clips()).toMatchObject([{ bag: asked.bag, state: 'whole', messages: 71 }]);
    const [recorded] = payloads(events, 'clip.recorded');
    expect(recorded).toMatchObject({ bag: asked.bag, trigger: 'api', messages: 71 });
    expect(payloads(events, 'segment.sealed').some(({ bag }) => bag === asked.bag)).toBe(true);
    for (const { kind, payload } of events) expect(payloadFault(kind, payload)).toBeUndefined();
    await stop();
    expect(readdirSync(join(dataDir, 'bags', '.clips'))).toEqual([]);
  });

  it('is refused where nothing was recorded, and for a span that is none', async () => {
    const { recording, start, stop } = makeRecording(dataDir);
    await start();
    await expect(recording.clip({ trigger: 'api', reason: '' })).rejects.toMatchObject({
      code: 'recorder.failed',
    });
    recording.offer(sampleOf('/a', 1));
    await expect(recording.clip({ trigger: 'api', reason: '', preMs: Number.NaN })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    await stop();
  });

  it('that was acknowledged comes at the next start, with what the disk then holds', async () => {
    const first = makeRecording(dataDir);
    await first.start();
    for (let i = 0; i < 200; i++) first.recording.offer(sampleOf('/a', i));
    // Its end is an hour away: the daemon is stopped before.
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 30, postMs: 3_600_000 });
    await first.stop();
    expect(existsSync(join(dataDir, 'bags', asked.bag))).toBe(false);

    const second = makeRecording(dataDir);
    await second.start();
    expect(payloads(second.events, 'clip.recorded')).toMatchObject([
      { clip_id: asked.clip_id, messages: 31 },
    ]);
    expect(await numbersIn(join(dataDir, 'bags', asked.bag))).toEqual(range(169, 199));
    await second.stop();
  });

  it('holds the samples around its trigger also where their clock was set back before', async () => {
    const { recording, start, stop } = makeRecording(dataDir);
    await start();
    for (let i = 0; i < 100; i++) recording.offer(sampleOf('/a', 7_200_000 + i));
    for (let i = 0; i < 100; i++) recording.offer(sampleOf('/a', i));
    const clip = await recording.clip({ trigger: 'api', reason: '', preMs: 49, postMs: 0, wait: true });
    expect(await numbersIn(join(dataDir, 'bags', clip.bag))).toEqual(range(50, 99));
    await stop();
  });

  it('holds no older sample of the same times that came before their clock was set back', async () => {
    // A former life recorded into the same bag, at the same times.
    const former = makeRecording(dataDir);
    await former.start();
    for (let i = 0; i < 100; i++) former.recording.offer(at('/a', 90_000 + i, i));
    await former.stop();
    const { recording, recorder, start, stop } = makeRecording(dataDir);
    await start();
    for (let i = 0; i < 100; i++) recording.offer(at('/a', 1_000 + i, i));
    recording.offer(at('/slow', 1_100, 95));
    await recorder.sealNow();
    for (let i = 0; i < 3_000; i++) recording.offer(at('/a', 2_000 + i, 100 + i));
    // Set back by three seconds: the times from 70 on come again, in a segment that holds older ones as well.
    for (let i = 70; i < 100; i++) recording.offer(at('/a', 5_000 + i, i));
    recording.offer(at('/new', 6_000, 99));
    // Until it is sure that no sample of the later clock comes any more.
    await sleep(1_050);
    const clip = await recording.clip({ trigger: 'api', reason: '', preMs: 20, postMs: 0, wait: true });
    expect((await numbersIn(join(dataDir, 'bags', clip.bag))).sort()).toEqual([
      ...range(5_079, 5_099),
      6_000,
    ]);
    await stop();
  });

  it('knows of a clock that was set back also at the next start', async () => {
    const first = makeRecording(dataDir);
    await first.start();
    for (let i = 0; i < 3_000; i++) first.recording.offer(at('/a', 1_000 + i, i));
    for (let i = 0; i < 50; i++) first.recording.offer(at('/a', 8_000 + i, i));
    await sleep(1_050);
    const more = { preMs: 9, postMs: 3_600_000 };
    const asked = await first.recording.clip({ trigger: 'api', reason: '', ...more });
    await first.stop();
    const second = makeRecording(dataDir);
    await second.start();
    expect(await numbersIn(join(dataDir, 'bags', asked.bag))).toEqual(range(8_040, 8_049));
    await second.stop();
  });

  it('of two clocks in turn holds the samples of both', async () => {
    const { recording, start, stop } = makeRecording(dataDir);
    await start();
    for (let i = 0; i < 50; i++) {
      recording.offer(at('/late', 1_000 + i, i));
      recording.offer(at('/a', 2_000 + i, 60_000 + i));
    }
    const clip = await recording.clip({ trigger: 'api', reason: '', preMs: 29, postMs: 0, wait: true });
    expect(await numbersIn(join(dataDir, 'bags', clip.bag))).toEqual(range(2_020, 2_049));
    recording.offer(at('/late', 1_050, 50));
    const late = await recording.clip({ trigger: 'api', reason: '', preMs: 29, postMs: 0, wait: true });
    expect(await numbersIn(join(dataDir, 'bags', late.bag))).toEqual(range(1_021, 1_050));
    await stop();
  });

  it('holds what came before its trigger also after a sample from the future', async () => {
    const { recording, start, stop } = makeRecording(dataDir);
    await start();
    for (let i = 0; i < 50; i++) recording.offer(at('/a', 1_000 + i, i));
    recording.offer(at('/a', 9_000, 60_000));
    for (let i = 50; i < 60; i++) recording.offer(at('/a', 1_000 + i, i));
    const clip = await recording.clip({ trigger: 'api', reason: '', preMs: 29, postMs: 0, wait: true });
    expect(await numbersIn(join(dataDir, 'bags', clip.bag))).toEqual(range(1_030, 1_059));
    await stop();
  });

  it('of which nothing is left at the next start is none', async () => {
    const first = makeRecording(dataDir);
    await first.start();
    first.recording.offer(sampleOf('/a', 1));
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 30, postMs: 3_600_000 });
    await first.stop();
    rmSync(join(dataDir, 'bags', 'bag'), { recursive: true });

    const second = makeRecording(dataDir);
    await second.start();
    const isTold = () => second.reports.join().includes(`clip ${asked.bag}: there is no clip`);
    await until(isTold, 'the end of the clip');
    expect(await second.recording.clips()).toEqual([]);
    await second.stop();
    expect(payloads(second.events, 'clip.recorded')).toEqual([]);
    expect(readdirSync(join(dataDir, 'bags', '.clips'))).toEqual([]);
    expect(existsSync(join(dataDir, 'bags', asked.bag))).toBe(false);
  });

  it('that was cut off while it was written is made anew; one that is whole is told again', async () => {
    const first = makeRecording(dataDir);
    await first.start();
    for (let i = 0; i < 100; i++) first.recording.offer(sampleOf('/a', i));
    const whole = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 0, wait: true });
    await first.stop();
    // Killed before the order of a whole clip was taken away, and in the middle of another.
    const cut: ClipInfo = {
      ...whole,
      clip_id: `${whole.clip_id.slice(0, -1)}${whole.clip_id.endsWith('0') ? '1' : '0'}`,
      bag: 'clip-cut',
      state: 'recording',
    };
    for (const order of [whole, cut])
      writeFileSync(join(dataDir, 'bags', '.clips', `${order.clip_id}.json`), JSON.stringify(order));
    mkdirSync(join(dataDir, 'bags', cut.bag));
    writeFileSync(join(dataDir, 'bags', cut.bag, 'clip-cut_0.mcap.part'), 'half');

    const second = makeRecording(dataDir);
    await second.start();
    await second.stop();
    expect(
      payloads(second.events, 'clip.recorded')
        .map(({ bag }) => bag)
        .sort(),
    ).toEqual([whole.bag, 'clip-cut'].sort());
    expect(await numbersIn(join(dataDir, 'bags', 'clip-cut'))).toEqual(range(90, 99));
    expect(readdirSync(join(dataDir, 'bags', 'clip-cut')).filter((name) => name.endsWith('.part'))).toEqual(
      [],
    );
  });
});

describe('a ring', () => {
  it('keeps the last while; what it overwrites is counted as evicted, except what is in a clip', async () => {
    const { recorder, recording, ledger, events, start, stop } = makeRecording(dataDir, {
      mode: 'ring',
      policies: ring(300),
      recorder: { segmentMs: 1_000_000 },
    });
    await start();
    let clip: ClipInfo | undefined;
    for (let i = 0; i < 2_000; i++) {
      recording.offer(sampleOf(i % 2 === 0 ? '/a' : '/b', i));
      if (i % 200 === 199) await recorder.sealNow();
      if (i === 549)
        clip = await recording.clip({ trigger: 'api', reason: '', preMs: 60, postMs: 0, wait: true });
    }
    await until(() => ledger.totals().dropped > 1_300, 'the recording to settle');
    await stop();
    expect(await numbersIn(join(dataDir, 'bags', clip!.bag))).toEqual(range(489, 549));
    const kept = await numbersIn(join(dataDir, 'bags', 'bag'));
    expect(kept.at(-1)).toBe(1_999);
    expect(kept).toEqual(range(kept[0]!, 1_999));
    expect(kept.length).toBeGreaterThanOrEqual(300);
    expect(kept.length).toBeLessThanOrEqual(600);
    // Exact: what is in the ring or in a clip is written, everything else evicted.
    const inClip = range(489, 549).filter((n) => n < kept[0]!).length;
    expect(ledger.totals()).toEqual({
      received: 2_000,
      written: kept.length + inClip,
      dropped: 2_000 - kept.length - inClip,
      inFlight: 0,
    });
    for (const { received, written, dropped } of ledger.lines())
      expect(received).toBe(written + dropped.evicted!);
    const evicted = payloads(events, 'segment.evicted');
    expect(evicted.length).toBeGreaterThan(5);
    for (const one of evicted) {
      expect(existsSync(join(dataDir, one.path))).toBe(false);
      expect(payloadFault('segment.evicted', one)).toBeUndefined();
    }
    expect(readdirSync(join(dataDir, 'bags', '.evicted'))).toEqual([]);
  });

  it('is never larger than its size by more than the segment that is open', async () => {
    const { recording, start, stop, recorder } = makeRecording(dataDir, {
      mode: 'ring',
      policies: ring(3_600_000, 4_000_000),
      recorder: { segmentBytesMax: 1_000_000 },
    });
    await start();
    for (let i = 0; i < 100; i++) {
      recording.offer(sampleOf('/image', i, 100_000));
      if (i % 10 === 9) await recorder.sealNow();
    }
    const size = () => {
      const folder = join(dataDir, 'bags', 'bag');
      return readdirSync(folder).filter((name) => name.endsWith('.mcap')).length;
    };
    await until(() => size() <= 4, 'the recording to settle');
    await stop();
    expect((await numbersIn(join(dataDir, 'bags', 'bag'))).at(-1)).toBe(99);
  });
});

describe('a quota', () => {
  it('deletes the oldest recordings of all bags, leaves a tombstone of each, and never what must stay', async () => {
    for (const bag of ['old', 'bag']) {
      const { recorder } = makeRecording(dataDir, { recorder: { bag } });
      await recorder.start();
      for (let i = 0; i < 4; i++) {
        recorder.offer(sampleOf('/image', i, 100_000));
        await recorder.sealNow();
      }
      await recorder.stop();
    }
    const held = makeRecording(dataDir, {
      policies: [{ kind: 'quota', bytesMax: 350_000 }],
      mayEvict: () => 'no',
    });
    await held.start();
    await held.stop();
    expect(payloads(held.events, 'segment.evicted')).toEqual([]);
    expect(held.reports.join()).toContain('recorder.quota');

    const freed = makeRecording(dataDir, { policies: [{ kind: 'quota', bytesMax: 350_000 }] });
    await freed.start();
    // The folder of a bag goes after its last segment.
    const isGone = () => !existsSync(join(dataDir, 'bags', 'old'));
    await until(
      () => payloads(freed.events, 'segment.evicted').length === 5 && isGone(),
      'the recording to settle',
    );
    await freed.stop();
    const gone = payloads(freed.events, 'segment.evicted');
    expect(gone.map(({ path }) => path)).toEqual(
      [0, 1, 2, 3].map((n) => `bags/old/old_${n}.mcap`).concat('bags/bag/bag_0.mcap'),
    );
    expect(gone[0]).toMatchObject({ bag: 'old', messages: 1, reason: 'quota', topics: { '/image': 1 } });
    expect(await numbersIn(join(dataDir, 'bags', 'bag'))).toEqual([1, 2, 3]);
  });
});

describe('a quota while it is recorded', () => {
  it('counts clips and imported segments as they come', async () => {
    const { recording, events, start, stop } = makeRecording(dataDir, {
      policies: [{ kind: 'quota', bytesMax: 650_000 }],
    });
    await start();
    recording.offer(sampleOf('/image', 0, 200_000));
    for (let n = 0; n < 3; n++)
      await recording.clip({ trigger: `t${n}`, reason: '', preMs: 10, postMs: 0, wait: true });
    const evicted = () => payloads(events, 'segment.evicted').map(({ path, reason }) => `${path} ${reason}`);
    await until(() => evicted().length === 1, 'the oldest to go');
    expect(evicted()).toEqual(['bags/bag/bag_0.mcap quota']);
    mkdirSync(join(dataDir, 'bags', 'imported'));
    writeFileSync(join(dataDir, 'bags', 'imported', 'imported_0.mcap'), new Uint8Array(200_000));
    const path = 'bags/imported/imported_0.mcap';
    const facts = { sha256: '0'.repeat(64), messages: 1, topics: {}, repaired: false };
    recording.adopted({ bag: 'imported', path, bytes: 200_000, start_ns: '1', end_ns: '2', ...facts });
    await until(() => evicted().length === 2, 'the oldest clip to go');
    expect(evicted()[1]).toContain('bags/clip-');
    await stop();
  });
});

describe('a condition', () => {
  const trigger = {
    name: 'high',
    topic: '/a',
    field: 'data',
    is: '>' as const,
    threshold: 100,
    cooldownMs: 0,
  };

  it('records a clip each time it becomes true', async () => {
    const { recording, events, start, stop } = makeRecording(dataDir, { triggers: [trigger] });
    await start();
    // 101 to 149 once, 200 to 299 again: two times it becomes true.
    for (const i of [...range(0, 149), ...range(0, 40), ...range(200, 299)])
      recording.offer(sampleOf('/a', i));
    await until(() => payloads(events, 'clip.recorded').length === 2, 'the recording to settle');
    await stop();
    // Both are cut at once: which is done first is open.
    const told = payloads(events, 'clip.recorded').map(({ trigger: name, reason }) => `${name}: ${reason}`);
    expect(told.sort()).toEqual(['high: /a data = 101 > 100', 'high: /a data = 200 > 100']);
    expect(payloads(events, 'clip.requested')).toHaveLength(2);
  });

  it('records its clip also where the recorder cannot sync at that moment', async () => {
    const { recorder, recording, events, reports, start, stop } = makeRecording(dataDir, {
      triggers: [trigger],
    });
    await start();
    vi.spyOn(recorder, 'syncNow').mockRejectedValueOnce(new Error('EIO'));
    for (const i of range(0, 101)) recording.offer(sampleOf('/a', i));
    await until(() => payloads(events, 'clip.recorded').length === 1, 'the clip');
    await stop();
    expect(reports.join()).toContain('may be lost: storing it failed');
    expect(payloads(events, 'clip.recorded')).toMatchObject([{ trigger: 'high', messages: 101 }]);
  });

  it('rests for its cool-down, and tells once what it cannot look at', async () => {
    const { recording, events, reports, start, stop } = makeRecording(dataDir, {
      triggers: [
        { ...trigger, cooldownMs: 3_600_000 },
        { ...trigger, name: 'wrong', field: 'nowhere[3]' },
      ],
    });
    await start();
    for (const i of [0, 200, 0, 200, 0, 200]) recording.offer(sampleOf('/a', i));
    recording.offer({ ...sampleOf('/a', 1), bytes: new Uint8Array(3) });
    await until(() => payloads(events, 'clip.recorded').length === 1, 'the recording to settle');
    await stop();
    expect(payloads(events, 'clip.requested')).toHaveLength(1);
    expect(reports.filter((text) => text.includes('trigger wrong'))).toHaveLength(1);
  });
});
