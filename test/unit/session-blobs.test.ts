import { expect, it } from 'vitest';
import { EdgeError, type NewEvent } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Writes three entries, of which the second is kept as a blob and the third holds a picture; ends unless forked. */
async function rigWith(blobs: MemoryBlobStore) {
  const stored = await blobs.put(bytes('a long entry'));
  const picture = await blobs.put(bytes('a picture'));
  const entry = (id: string, parent: string | undefined, body: object): NewEvent => ({
    kind: 'session.entry',
    payload: {
      ...{ session_id: 's', entry_id: id, entry: { type: 'message', ...body } },
      ...(parent === undefined ? {} : { parent_id: parent }),
    },
  });
  const work: Work = async (context) => {
    if (context.session.length > 0) return await forever(context);
    await context.emit([
      entry('a', undefined, {}),
      entry('b', 'a', { stored: { sha256: stored, bytes: 12 }, text: 'a long' }),
      entry('c', 'b', { message: { role: 'user', content: [{ type: 'image', sha256: picture }] } }),
    ]);
    return {};
  };
  const rig = new RuntimeRig({
    ...{ apps: [agentApp('talk')], robot: new FakeRobot({ cells: 4 }) },
    options: { ...agents({ talk: work }), blobs },
  });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
  await rig.finished();
  return { rig, stored, picture, runId: run.run_id };
}

it('what a forked run inherited is needed until it is over, of a finished run nothing', async () => {
  const { rig, stored, picture, runId } = await rigWith(new MemoryBlobStore());
  expect(rig.cell.sessionBlobs()).toEqual(new Set());
  const fork = await rig.cell.control.fork(runId, 'b', PERSON);
  expect(rig.cell.sessionBlobs()).toEqual(new Set([stored]));
  await rig.cell.control.fork(runId, 'c', PERSON);
  expect(rig.cell.sessionBlobs()).toEqual(new Set([stored, picture]));
  await rig.cell.cancel(fork.run_id, 'enough');
});

it('a fork counts what it inherits as put just now', async () => {
  const renewed: string[] = [];
  const moved: string[] = [];
  class Counting extends MemoryBlobStore {
    override async put(one: Uint8Array): Promise<string> {
      moved.push('put');
      return await super.put(one);
    }
    override async get(sha256: string): Promise<Uint8Array | undefined> {
      moved.push('get');
      return await super.get(sha256);
    }
    override async renew(sha256: string): Promise<boolean> {
      renewed.push(sha256);
      return await super.renew(sha256);
    }
  }
  const { rig, stored, picture, runId } = await rigWith(new Counting());
  moved.length = 0;
  await rig.cell.control.fork(runId, 'c', PERSON);
  expect(new Set(renewed)).toEqual(new Set([stored, picture]));
  // Hundreds of pictures would take minutes on a slow disk, and a fork is not waited for that long.
  expect(moved).toEqual([]);
});

it('a fork from an entry that is gone is refused with its name, one without a picture is not', async () => {
  const blobs = new MemoryBlobStore();
  const { rig, stored, picture, runId } = await rigWith(blobs);
  blobs.held.delete(picture);
  await rig.cell.control.fork(runId, 'c', PERSON);
  blobs.held.delete(stored);
  const refused = await rig.cell.control.fork(runId, 'c', PERSON).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(EdgeError);
  expect(refused).toMatchObject({ code: 'run.interrupted', subject: 'b', retryable: false });
  expect((refused as EdgeError).message).toContain(stored);
  // From before it, all the same.
  await rig.cell.control.fork(runId, 'a', PERSON);
});

it('a fork repeated under its key is the same run, also where its blob is gone since', async () => {
  const blobs = new MemoryBlobStore();
  const { rig, stored, runId } = await rigWith(blobs);
  const first = await rig.cell.control.fork(runId, 'b', PERSON, { idempotencyKey: 'once' });
  blobs.held.delete(stored);
  const again = await rig.cell.control.fork(runId, 'b', PERSON, { idempotencyKey: 'once' });
  expect(again.run_id).toBe(first.run_id);
  await expect(rig.cell.control.fork(runId, 'b', PERSON, { idempotencyKey: 'twice' })).rejects.toMatchObject({
    code: 'run.interrupted',
  });
});

it('a fork from a disk that does not answer is refused in time, and nothing was begun', async () => {
  let isDeaf = false;
  class Deaf extends MemoryBlobStore {
    override renew(sha256: string): Promise<boolean> {
      return isDeaf ? new Promise(() => {}) : super.renew(sha256);
    }
  }
  const { rig, runId } = await rigWith(new Deaf());
  const runs = rig.cell.runs().length;
  isDeaf = true;
  const refused = expect(rig.cell.control.fork(runId, 'b', PERSON)).rejects.toMatchObject({
    code: 'deadline.exceeded',
    subject: runId,
  });
  await rig.clock.advance(31_000);
  await refused;
  expect(rig.cell.runs().length).toBe(runs);
  isDeaf = false;
  await rig.cell.control.fork(runId, 'b', PERSON);
});
