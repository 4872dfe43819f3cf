import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type NewEvent, RECALL_LIMITS } from '../../contract/index.ts';
import { annotation, asker, noteOf, RecallRig, runOf, WordEmbedder } from '../support/recall-rig.ts';
import { fixedId } from '../support/sample-events.ts';
import { until } from '../support/until.ts';

let rig: RecallRig;
beforeEach(async () => {
  rig = new RecallRig();
  await rig.say(runOf(0));
});
afterEach(() => rig.stop());

const everything = { by: asker('local', true), limit: RECALL_LIMITS.TEXTS_MAX };
describe('recall', () => {
  it('has nothing open before the first question, and gives it back after a rest', async () => {
    rig.restMs = 20;
    expect(rig.desk.status()).toMatchObject({ open: false, texts: 0 });
    expect(rig.opened).toEqual([]);
    await rig.say(...noteOf(10, 'The charger is behind the red door'));
    expect(await rig.found('charger')).toEqual(['The charger is behind the red door']);
    await until(() => !rig.desk.status().open, 'the rest');
    // What it had is still known, and the next question opens it again.
    expect(rig.desk.status()).toMatchObject({ open: false, texts: 1 });
    expect(await rig.found('charger')).toHaveLength(1);
    expect(rig.opened).toHaveLength(2);
  });

  it('finds notes, answers, captions, plans, decisions, ends of runs and annotations, each under its own kind', async () => {
    const run_id = fixedId(0);
    const asked = { question_id: fixedId(20), text: 'Which zebra room?', tenant: 'local', principal: 'test' };
    const step = {
      step_id: 's',
      subgoal: 'drive',
      params: { to: 'zebra dock' },
      deadline_ms: 1,
      success: [],
      fallback: 'abort',
    };
    await rig.say(
      ...noteOf(10, 'zebra note'),
      ...noteOf(11, 'zebra note that a policy refused', false),
      { kind: 'question.asked', run_id, payload: { ...asked, expires_ns: '1' } },
      {
        kind: 'question.answered',
        run_id,
        payload: {
          question_id: fixedId(20),
          outcome: 'answered',
          answer: 'The left one',
          by: 'ada',
          origin: 'api',
        },
      },
      {
        kind: 'tool.returned',
        run_id,
        payload: {
          call_id: fixedId(21),
          tool: 'vision.look',
          ok: true,
          result: { caption: 'a zebra on a box' },
          duration_ms: 1,
        },
      },
      {
        kind: 'plan.made',
        run_id,
        payload: { revision: 0, plan: { goal: 'reach it', steps: [step] }, by: 'model', dropped: [] },
      } as NewEvent,
      {
        kind: 'policy.decided',
        run_id,
        payload: {
          hook: 'cedar',
          point: 'tool',
          subject: 'robot.navigate',
          decision: 'deny',
          reason: 'no zebra crossing',
          duration_us: 1,
        },
      },
      {
        kind: 'policy.decided',
        run_id,
        payload: {
          hook: 'cedar',
          point: 'tool',
          subject: 'zebra',
          decision: 'allow',
          reason: 'zebra',
          duration_us: 1,
        },
      },
      {
        kind: 'run.finished',
        run_id,
        payload: { status: 'failed', reason: 'zebra in the way', summary: {} },
      },
      annotation(10, 'zebra seen'),
    );
    const { texts } = await rig.ask('zebra', everything);
    expect(texts.map(({ kind, text }) => [kind, text]).toSorted()).toEqual([
      ['annotation', 'door: zebra seen'],
      ['answer', 'Which zebra room?\nada: The left one'],
      ['caption', 'a zebra on a box'],
      ['decision', 'robot.navigate: deny: no zebra crossing'],
      ['note', 'zebra note\n[place]'],
      ['plan', 'reach it: drive zebra dock'],
      ['run', 'maze/find_exit failed: zebra in the way'],
    ]);
    // The note and the annotation have the same number, and neither replaces the other.
    expect(texts.map(({ id }) => id)).toEqual(
      expect.arrayContaining([`note:${fixedId(10)}`, `annotation:${fixedId(10)}`]),
    );
    expect(await rig.found('zebra', { kinds: ['caption', 'plan'] })).toHaveLength(2);
  });

  it('takes the last text of an annotation, and none of one that was taken back', async () => {
    await rig.say(
      annotation(10, 'first words'),
      annotation(10, 'second words'),
      annotation(11, 'third words'),
    );
    expect(await rig.found('words')).toEqual(
      expect.arrayContaining(['door: second words', 'door: third words']),
    );
    await rig.say(annotation(10, 'second words', true));
    expect(await rig.found('words')).toEqual(['door: third words']);
  });

  it('gives a text only to its tenant, and recordings and documents only to the owner', async () => {
    await rig.say(
      runOf(100, 'guest'),
      ...noteOf(10, 'key of the owner'),
      ...noteOf(110, 'key of the guest', true, 100),
    );
    // A run that no log names any more: only the owner of the robot, who may read the logs, finds it.
    await rig.say(...noteOf(120, 'key of nobody', true, 500), annotation(30, 'key in a recording'));
    expect((await rig.found('key')).toSorted()).toEqual(['door: key in a recording', 'key of the owner']);
    expect(await rig.found('key', { by: asker('guest') })).toEqual(['key of the guest']);
    expect(await rig.found(undefined, { by: asker('guest') })).toEqual(['key of the guest']);
    expect(await rig.found('key', { by: asker('other') })).toEqual([]);
    expect(await rig.found('key', everything)).toHaveLength(4);
  });

  it('takes any words as words', async () => {
    await rig.say(...noteOf(10, 'The "door" (left) is OR isn\'t open* NEAR column:12'));
    for (const question of [
      'door" OR "x',
      'NEAR(door left',
      'column:12',
      'open*',
      '-door',
      '^left',
      'AND door',
      "isn't",
      'do\u0000or left',
    ])
      expect(await rig.found(question), question).toHaveLength(1);
    expect(await rig.found('x'.repeat(2_000))).toEqual([]);
    await expect(rig.ask('?!*"')).rejects.toMatchObject({ code: 'schema.invalid' });
    await expect(rig.ask('\u0000')).rejects.toMatchObject({ code: 'schema.invalid' });
  });

  it('is asked in order, not more often than it can answer, and not while it stops', async () => {
    await rig.say(...noteOf(10, 'a door'));
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => rig.ask('door')));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
    expect(answers.at(-1)).toMatchObject({ reason: { code: 'cell.overloaded' } });
    await rig.desk.stop();
    await expect(rig.ask('door')).rejects.toMatchObject({ code: 'lake.unavailable' });
  });

  it('shows the newest where nothing is asked, and nothing that is too old', async () => {
    await rig.say(...noteOf(10, 'one'), ...noteOf(11, 'two'), ...noteOf(12, 'two'));
    expect(await rig.found(undefined, { limit: 1 })).toHaveLength(1);
    // The same words twice are one text.
    expect((await rig.found(undefined)).toSorted()).toEqual(['one', 'two']);
    expect(await rig.found('one', { withinS: 3_600 })).toEqual(['one']);
    expect(await rig.found('one', { withinS: 1e-6 })).toEqual([]);
  });

  it('gives nothing that is not recorded', async () => {
    await rig.say(...noteOf(10, 'a door'));
    await rig.ask('door');
    rig.disks.get('memory')!.fault = new EdgeError('log.failed', {
      operation: 'x',
      subject: 'x',
      message: 'full',
    });
    await expect(rig.ask('door')).rejects.toMatchObject({ code: 'log.failed' });
  });
});

describe('the meaning', () => {
  const groups = [
    ['charger', 'dock', 'recharge'],
    ['lift', 'elevator'],
  ];
  beforeEach(async () => {
    await rig.say(...noteOf(10, 'The charger is in room 4'), ...noteOf(11, 'The elevator is out of order'));
  });

  it('is searched by words only without a model, and it says so', async () => {
    rig.findEmbedder = () => ({ why: 'searched by words only: install it' });
    const { how, why, model, texts } = await rig.ask('where can I recharge');
    expect({ how, why, model, texts }).toEqual({
      ...{ how: 'words', why: 'searched by words only: install it', model: '', texts: [] },
    });
  });

  it('finds other words for the same, computes each text once, and leaves out what has to do with nothing', async () => {
    const embedder = new WordEmbedder(groups);
    rig.findEmbedder = () => ({ embedder });
    await rig.say(...noteOf(12, 'The charger is in room 4'));
    const answer = await rig.ask('where can I recharge');
    expect(answer).toMatchObject({ how: 'meaning', why: '', model: 'words', waiting: 0 });
    expect(answer.texts.map(({ text }) => text)).toEqual(['The charger is in room 4\n[place]']);
    expect(embedder.computed).toBe(3);
    await rig.restart();
    expect(await rig.found('is the lift working')).toEqual(['The elevator is out of order']);
    // Only the question: vectors of texts are kept.
    expect(embedder.computed).toBe(4);
  });

  it('is computed again by another model, and goes by words while the model fails', async () => {
    const first = new WordEmbedder(groups);
    rig.findEmbedder = () => ({ embedder: first });
    await rig.ask('recharge');
    first.fault = new Error('it died');
    const { how, why } = await rig.ask('charger');
    expect([how, why]).toEqual(['words', 'the model of vectors failed: it died']);
    expect(rig.desk.status()).toMatchObject({ model: 'words', why: 'it died', waiting: 0 });
    const second = new WordEmbedder(groups, 'b'.repeat(64));
    rig.findEmbedder = () => ({ embedder: second });
    expect(await rig.found('dock')).toEqual(['The charger is in room 4']);
    expect(second.computed).toBe(3);
  });
});

describe('a rebuilt index', () => {
  it('is the same as before, also after a restart, and does not compute vectors again', async () => {
    const embedder = new WordEmbedder([['door']]);
    rig.findEmbedder = () => ({ embedder });
    const notes = Array.from({ length: 700 }, (_, n) => noteOf(1_000 + n, `door number ${n}`)).flat();
    await rig.say(...notes, annotation(10, 'a door'));
    const whole = async () => {
      const { texts, sha256 } = await rig.ask('door number 7', everything);
      return { sha256, texts: texts.map(({ id, sha256: text, at }) => [id, text, at]) };
    };
    const before = await whole();
    await until(() => rig.desk.status().waiting === 0, 'all vectors');
    const again = await whole();
    const { computed } = embedder;
    await rig.desk.rebuild();
    expect(rig.desk.status()).toMatchObject({ texts: 701, waiting: 0 });
    expect(await whole()).toEqual(again);
    expect(again.texts[0]).toEqual(before.texts[0]);
    await rig.restart();
    expect(await whole()).toEqual(again);
    // Three questions, no text.
    expect(embedder.computed).toBe(computed + 2);
  });

  it('lets others work between its batches', async () => {
    await rig.say(...Array.from({ length: 1_500 }, (_, n) => noteOf(1_000 + n, `text ${n}`)).flat());
    await rig.ask('text');
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await rig.desk.rebuild();
    isOver = true;
    expect(rig.desk.status().texts).toBe(1_500);
    // 1,500 texts go and come in batches of 250 texts or events.
    expect(turns).toBeGreaterThan(15);
  });

  it('keeps what was removed from the log, which cannot give it again', async () => {
    await rig.say(...noteOf(10, 'an old door'), ...noteOf(11, 'a new door'));
    await rig.ask('door');
    rig.disks.get('runtime')!.cut(3);
    await rig.desk.rebuild();
    expect((await rig.found('door')).toSorted()).toEqual(['a new door', 'an old door']);
  });

  it('is made again where the log lost its end, or the file is damaged', async () => {
    await rig.say(...noteOf(10, 'the door'), ...noteOf(11, 'the window'));
    await rig.ask('door');
    const { events } = rig.disks.get('runtime')!;
    events.splice(3);
    expect(await rig.found(undefined)).toEqual(['the door']);
    await rig.restart();
    for (const end of ['', '-wal']) rmSync(`${rig.path}${end}`, { force: true });
    writeFileSync(rig.path, 'this is no database '.repeat(1_000));
    expect(await rig.found(undefined)).toEqual(['the door']);
  });
});
