import { describe, expect, it } from 'vitest';
import { A2A_PUSH, type RunDetails, type RunStatus } from '../../contract/index.ts';
import { pushRig, RECEIVER } from '../support/a2a-robot.ts';
import { TinyRuntime } from '../support/http-rig.ts';

/** A run of any id, in the state and with the reason that a test gives. */
class Runs {
  status: RunStatus = 'running';
  reason = '';
  gone = false;
  readonly of = (id: string): RunDetails | undefined => {
    if (this.gone) return undefined;
    const tiny = new TinyRuntime();
    const [like] = tiny.runs() as RunDetails[];
    return { ...like!, run: { ...like!.run, run_id: id, status: this.status }, reason: this.reason };
  };
}

const OWNER = { tenant: 'local', principal: 'operator' };
const task = (taskId: string, owner = OWNER) => ({
  ...{ taskId, owner, version: '1.0' as const },
  isOperator: false,
});
const asked = (path: string, more: object = {}) => ({
  ...{ id: '', url: `${RECEIVER}${path}`, token: '', authentication: undefined },
  ...more,
});
/** States as the receiver of version 1.0 reads them. */
const statesOf = (sent: readonly { body: string }[]) =>
  sent.map(({ body }) => (JSON.parse(body) as { task: { status: { state: string } } }).task.status.state);
const never = () => new Promise<number>(() => {});

describe('a state of a task', () => {
  it('is posted when it changes, with token and authentication, and the last one once', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    const authentication = { scheme: 'Bearer', credentials: 'secret' };
    await rig.desk.set(asked('/a', { token: 'mine', authentication }), task('t1'));
    await rig.clock.advance(1_000);
    expect(rig.sent).toEqual([]);
    runs.status = 'waiting_approval';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    runs.status = 'succeeded';
    await rig.clock.advance(10_000);
    expect(statesOf(rig.sent)).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']);
    expect(rig.sent[0]).toMatchObject({
      url: `${RECEIVER}/a`,
      headers: {
        'x-a2a-notification-token': 'mine',
        authorization: 'Bearer secret',
        'content-type': 'application/a2a+json',
      },
    });
    expect(rig.desk.stats()).toMatchObject({ configs: 0, waiting: 0, delivered: 2, failed: 0 });
    expect(JSON.parse(rig.kept.text!)).toMatchObject({ configs: [] });
  });

  it('has the form of version 0.3 for a client of that version', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    await rig.desk.set(asked('/a'), { ...task('t1'), version: '0.3' });
    runs.status = 'failed';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    expect(JSON.parse(rig.sent[0]!.body)).toMatchObject({
      kind: 'task',
      id: 't1',
      status: { state: 'failed' },
    });
  });

  it('is posted of a task that is over when its config comes', async () => {
    const runs = new Runs();
    runs.status = 'cancelled';
    const rig = pushRig(runs.of);
    await rig.desk.set(asked('/a'), task('t1'));
    await rig.clock.advance(0);
    expect(statesOf(rig.sent)).toEqual(['TASK_STATE_CANCELED']);
  });

  it('is tried again, later each time, until it is taken', async () => {
    const runs = new Runs();
    runs.status = 'succeeded';
    const rig = pushRig(runs.of);
    rig.answer = async () => 503;
    await rig.desk.set(asked('/a'), task('t1'));
    const at: number[] = [];
    for (let ms = 0; ms < 8_000; ms += A2A_PUSH.LOOK_MS) {
      if (rig.sent.length > at.length) at.push(ms);
      await rig.clock.advance(A2A_PUSH.LOOK_MS);
    }
    expect(at).toEqual([0, 1_000, 3_000, 7_000].map((ms) => expect.closeTo(ms, -3)));
    rig.answer = async () => 204;
    await rig.clock.advance(8_000);
    expect(rig.desk.stats()).toMatchObject({ configs: 0, delivered: 1, failed: 4 });
  });

  it('is left out at its deadline, and the operator is told without path and token', async () => {
    const runs = new Runs();
    runs.status = 'succeeded';
    const rig = pushRig(runs.of);
    rig.answer = async () => 302;
    await rig.desk.set(asked('/secret-path', { token: 'mine' }), task('t1'));
    await rig.clock.advance(A2A_PUSH.DEADLINE_MS + A2A_PUSH.BACKOFF_MAX_MS);
    expect(rig.desk.stats()).toMatchObject({ configs: 0, delivered: 0, expired: 1 });
    expect(rig.sent.length).toBeLessThan(75);
    expect(rig.reports).toMatchObject([['warn', expect.any(String), { task: 't1', why: 'it answered 302' }]]);
    expect(JSON.stringify(rig.reports)).not.toMatch(/secret-path|mine/);
  });
});

describe('where a receiver does not keep up', () => {
  it('older states are left out, and the last one never', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    rig.answer = never;
    await rig.desk.set(asked('/a'), task('t1'));
    for (let state = 1; state <= 30; state++) {
      runs.reason = `state ${state}`;
      await rig.clock.advance(A2A_PUSH.LOOK_MS);
    }
    runs.status = 'failed';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    expect(rig.sent).toHaveLength(1);
    const { waiting, dropped } = rig.desk.stats();
    expect([waiting, dropped]).toEqual([A2A_PUSH.WAITING_MAX + 1, 30 - A2A_PUSH.WAITING_MAX]);
  });

  it('the last state is next after one failure, whatever waited before it', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    let fail: (why: Error) => void = () => {};
    rig.answer = () => new Promise<number>((_, reject) => (fail = reject));
    await rig.desk.set(asked('/a'), task('t1'));
    for (const reason of ['one', 'two', 'three']) {
      runs.reason = reason;
      await rig.clock.advance(A2A_PUSH.LOOK_MS);
    }
    runs.status = 'succeeded';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    fail(new Error('reset'));
    rig.answer = async () => 200;
    await rig.clock.advance(A2A_PUSH.BACKOFF_MS + A2A_PUSH.LOOK_MS);
    expect(statesOf(rig.sent)).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']);
    expect(rig.desk.stats()).toMatchObject({ delivered: 1, failed: 1, dropped: 3, expired: 0 });
  });

  it('the bytes of all that waits are bounded, and who has most pays', async () => {
    const runs = new Runs();
    const rig = pushRig((id) => {
      const found = runs.of(id)!;
      return id === 'small' ? { ...found, reason: '' } : found;
    });
    rig.answer = never;
    await rig.desk.set(asked('/a'), task('big'));
    await rig.desk.set(asked('/b'), task('big2'));
    for (let state = 0; state < 6; state++) {
      runs.reason = `${state}`.repeat(200_000);
      await rig.clock.advance(A2A_PUSH.LOOK_MS);
    }
    const { waiting, dropped } = rig.desk.stats();
    expect(waiting + dropped).toBe(12);
    expect(waiting * 200_000).toBeLessThanOrEqual(A2A_PUSH.WAITING_BYTES_MAX);
    expect(waiting).toBeGreaterThan(2);
  });

  it('no other receiver waits for it', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    rig.answer = async ({ url }) => (url.endsWith('/dead') ? await never() : 200);
    for (let nth = 0; nth < 10; nth++) await rig.desk.set(asked('/dead'), task(`dead ${nth}`));
    await rig.desk.set(asked('/alive'), task('t1'));
    runs.status = 'succeeded';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    expect(rig.desk.stats()).toMatchObject({ configs: 10, delivered: 1 });
  });
});

it('a run that cannot be read costs its own config, and no other', async () => {
  const runs = new Runs();
  let isBroken = false;
  const rig = pushRig((id) => {
    if (isBroken && id === 'broken') throw new Error('a defect');
    return runs.of(id);
  });
  await rig.desk.set(asked('/a'), task('broken'));
  await rig.desk.set(asked('/b'), task('t1'));
  isBroken = true;
  runs.status = 'succeeded';
  await rig.clock.advance(A2A_PUSH.LOOK_MS);
  expect(rig.sent.map(({ url }) => url)).toEqual([`${RECEIVER}/b`]);
  expect(rig.reports).toMatchObject([['warn', expect.any(String), { task: 'broken', error: 'a defect' }]]);
});

describe('what is kept', () => {
  it('lets the next life deliver the last state of a task that ended meanwhile, and no deleted config', async () => {
    const runs = new Runs();
    const first = pushRig(runs.of);
    await first.desk.set(asked('/a', { token: 'mine' }), task('t1'));
    await first.desk.set(asked('/b'), task('t2'));
    first.desk.remove('t2', '');
    // The process is killed: nothing is said to the desk.
    runs.status = 'succeeded';
    const next = pushRig(runs.of, first.kept);
    await next.desk.start();
    await next.clock.advance(A2A_PUSH.LOOK_MS);
    expect(statesOf(next.sent)).toEqual(['TASK_STATE_COMPLETED']);
    expect(next.sent[0]).toMatchObject({
      url: `${RECEIVER}/a`,
      headers: { 'x-a2a-notification-token': 'mine' },
    });
    const third = pushRig(runs.of, next.kept);
    await third.desk.start();
    await third.clock.advance(60_000);
    expect([third.sent, third.reports]).toEqual([[], []]);
  });

  it('leaves out receivers that are no longer allowed, runs that are gone, and damage, and says so', async () => {
    const runs = new Runs();
    const first = pushRig(runs.of);
    await first.desk.set(asked('/a'), task('t1'));
    const moved = pushRig(runs.of, { text: first.kept.text!.replace('agent.example', 'other.example') });
    await moved.desk.start();
    expect([moved.desk.list('t1'), moved.reports.length]).toEqual([[], 1]);
    const damaged = pushRig(runs.of, { text: '{{' });
    await damaged.desk.start();
    expect(damaged.reports).toHaveLength(1);
    await damaged.desk.set(asked('/a'), task('t1'));
    runs.gone = true;
    const gone = pushRig(runs.of, { text: first.kept.text! });
    await gone.desk.start();
    expect([gone.sent, gone.desk.stats().configs]).toEqual([[], 0]);
  });

  it('fails clearly where it cannot be written, and changes nothing', async () => {
    const rig = pushRig(new Runs().of);
    await rig.desk.set(asked('/a', { token: 'old' }), task('t1'));
    rig.unwritable = true;
    await expect(rig.desk.set(asked('/b'), task('t1'))).rejects.toThrow();
    expect(rig.desk.get('t1', '')).toMatchObject({ url: `${RECEIVER}/a`, token: 'old' });
  });
});

describe('a config', () => {
  it.each<[string, object]>([
    ['nothing is sent to https://evil.example', { url: 'https://evil.example/' }],
    ['nothing is sent to http://agent.example', { url: 'http://agent.example/' }],
    ['nothing is sent to https://agent.example:8443', { url: 'https://agent.example:8443/' }],
    ['http or https', { url: 'file:///etc/passwd' }],
    ['url', { url: 'nonsense' }],
    ['without user', { url: 'https://a:b@agent.example/' }],
    ['url', { url: `${RECEIVER}/${'x'.repeat(A2A_PUSH.URL_CHARS)}` }],
    ['token', { token: 'a\r\nhost: b' }],
    ['authentication.scheme', { authentication: { scheme: '', credentials: 'x' } }],
    ['authentication.credentials', { authentication: { scheme: 'Bearer', credentials: '' } }],
    ['authentication.credentials', { authentication: { scheme: 'Bearer', credentials: 'a\nb' } }],
    ['id', { id: 'a/b' }],
  ])('is refused with the reason: %s', async (words, more) => {
    const rig = pushRig(new Runs().of);
    await expect(rig.desk.set(asked('/a', more), task('t1'))).rejects.toThrow(words);
    expect(rig.kept.text).toBeUndefined();
  });

  it('takes the place of one with the same id; nothing is sent to the former one or to a deleted one', async () => {
    const runs = new Runs();
    const rig = pushRig(runs.of);
    await rig.desk.set(asked('/old'), task('t1'));
    await rig.desk.set(asked('/new'), task('t1'));
    await rig.desk.set(asked('/other', { id: 'two' }), task('t1'));
    rig.desk.remove('t1', 'two');
    runs.status = 'succeeded';
    await rig.clock.advance(A2A_PUSH.LOOK_MS);
    expect(rig.sent.map(({ url }) => url)).toEqual([`${RECEIVER}/new`]);
  });

  it('has its bounds: of a task, of a principal, of all, with places for operators', async () => {
    const rig = pushRig(new Runs().of);
    const set = async (nth: number, who: string) =>
      await rig.desk.set(asked('/a'), task(`t${nth}`, { tenant: 'plant', principal: who }));
    for (let id = 0; id < A2A_PUSH.OF_TASK_MAX; id++)
      await rig.desk.set(asked('/a', { id: `c${id}` }), task('t'));
    await expect(rig.desk.set(asked('/a', { id: 'more' }), task('t'))).rejects.toThrow(
      'a task has 4 at most',
    );
    for (let nth = 0; nth < A2A_PUSH.OF_ONE_MAX; nth++) await set(nth, 'eve');
    await expect(set(999, 'eve')).rejects.toThrow('32 of this principal');
    const free = A2A_PUSH.CONFIGS_MAX - A2A_PUSH.CONFIGS_KEPT - A2A_PUSH.OF_TASK_MAX - A2A_PUSH.OF_ONE_MAX;
    for (let nth = 0; nth < free; nth++) await set(1_000 + nth, `p${nth % 10}`);
    await expect(set(2_000, 'mallory')).rejects.toThrow('112 are open already');
    await rig.desk.set(asked('/a'), { ...task('t9'), isOperator: true });
  });
});
