import {
  type Session,
  type SessionMetadata,
  StorageBackedSession,
} from '@earendil-works/pi-agent-core/harness/session';
import {
  createSessionRepoMessageConformance,
  createStorageConformance,
} from '@earendil-works/pi-agent-core/harness/session/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventLog, type SqliteEventLog } from '../../adapters/event-log/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { freshDir } from '../support/daemon.ts';
import { PiLogStorage } from '../support/pi-log-storage.ts';

/** The cases that pi-agent-core ships for whoever keeps its sessions, against our event log on disk. */
const directory = freshDir('pi-storage');
let log: SqliteEventLog;
let sessions = 0;
/** A suite that shrank unseen would prove nothing. */
const STORAGE_CASES = 21;

beforeAll(async () => {
  log = await openEventLog(directory.path, 'runtime', new ManualClock(), 'caller');
});
afterAll(async () => {
  await log.close();
  directory.remove();
});

function storage(): PiLogStorage {
  const runId = `0190a000-0000-7000-8000-${String(++sessions).padStart(12, '0')}`;
  let time = 1_700_000_000_000;
  return new PiLogStorage({ log, blobs: new MemoryBlobStore(), runId, now: () => time++ });
}

describe('storage cases of pi-agent-core 0.87.1', () => {
  const cases = createStorageConformance(async () => {
    const own = storage();
    return { storage: own, [Symbol.asyncDispose]: () => own.close() };
  });
  it('are as many as were pinned', () => {
    expect(cases.length).toBe(STORAGE_CASES);
  });
  for (const { group, name, run } of cases) it(`${group}: ${name}`, run);
});

describe('session message cases of pi-agent-core 0.87.1', () => {
  const cases = createSessionRepoMessageConformance(async () => ({
    async create({ id = `s${++sessions}` }): Promise<Session<SessionMetadata>> {
      return new StorageBackedSession({ id, createdAt: 1, storageVersion: 1 }, storage());
    },
  }));
  for (const { group, name, run } of cases) it(`${group}: ${name}`, run);
});
