import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type {
  CommitResult,
  CommittedWrite,
  Entry,
  EntryScan,
  EntryStructure,
  ListElement,
  ListReadOptions,
  PreparedCommit,
  SessionStats,
  Storage,
  StorageBranchScan,
  StoredValue,
  UsageRow,
  UsageScan,
  Value,
  ValueList,
  Write,
} from '@earendil-works/pi-agent-core/harness/session';
import { fromLog, toLog } from '../../adapters/pi/entry-codec.ts';
import type { AgentEvent, BlobStore, EventLog, EventReader, SessionEntry } from '../../contract/index.ts';

/** What Pi keeps of a session in memory; its package has it and does not export it. */
type State = {
  prepareCommit(writes: Write[], timestamp: number): PreparedCommit;
  applyValidated(writes: readonly CommittedWrite[]): SessionStats;
  getEntries(ids: readonly string[]): Map<string, Entry>;
  getValue<T>(address: Value<T>): StoredValue<T> | undefined;
  scanValues<T>(prefix: Value<T>): StoredValue<T>[];
  readList<T>(address: ValueList<T>, options?: ListReadOptions): ListElement<T>[];
  scanBranch(query: StorageBranchScan): Entry[];
  scanBranchStructure(query: StorageBranchScan): EntryStructure[];
  scanEntries(query: EntryScan): Entry[];
  scanUsage(query: UsageScan): UsageRow[];
  getStats(): SessionStats;
};

const folder = join(
  import.meta.dirname,
  '../../node_modules/@earendil-works/pi-agent-core/dist/harness/session/in-memory-storage-state.js',
);

/**
 * Our session storage as the suite of pi-agent-core wants it: every write is a `session.entry` in our event log,
 * through the codec of the Pi harness, durable before the commit is answered. It keeps nothing else: each read is
 * answered by a state that is read from the log anew.
 */
export class PiLogStorage implements Storage {
  readonly #log: EventLog;
  readonly #reader: EventReader;
  readonly #blobs: BlobStore;
  readonly #runId: string;
  readonly #now: () => number;
  #queue: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(parts: { log: EventLog; blobs: BlobStore; runId: string; now: () => number }) {
    this.#log = parts.log;
    this.#reader = parts.log.reader();
    this.#blobs = parts.blobs;
    this.#runId = parts.runId;
    this.#now = parts.now;
  }

  commit(writes: Write[]): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new Error('the storage is closed'));
    const work = this.#queue.then(async () => {
      const state = await this.#state();
      const prepared = state.prepareCommit(writes, this.#now());
      const entries = prepared.writes.map((data) => ({ type: 'custom', customType: 'pi.write', data }));
      const logged = await Promise.all(entries.map((entry) => toLog(entry, this.#blobs)));
      await this.#log.append(
        logged.map((entry, index) => ({
          kind: 'session.entry' as const,
          run_id: this.#runId,
          payload: { session_id: this.#runId, entry_id: `w${prepared.writes[index]!.seq}`, entry },
        })),
      );
      return { ...prepared.result, stats: (await this.#state()).getStats() };
    });
    this.#queue = work.catch(() => {});
    return work;
  }

  getEntries = (ids: string[]) => this.#read((state) => state.getEntries(ids));
  getValue = <T>(address: Value<T>) => this.#read((state) => state.getValue(address));
  scanValues = <T>(prefix: Value<T>) => this.#read((state) => state.scanValues(prefix));
  readList = <T>(address: ValueList<T>, options: ListReadOptions | undefined) =>
    this.#read((state) => state.readList(address, options));
  scanBranch = (query: StorageBranchScan) => this.#read((state) => state.scanBranch(query));
  scanBranchStructure = (query: StorageBranchScan) => this.#read((state) => state.scanBranchStructure(query));
  scanEntries = (query: EntryScan) => this.#read((state) => state.scanEntries(query));
  scanUsage = (query: UsageScan) => this.#read((state) => state.scanUsage(query));
  getStats = () => this.#read((state) => state.getStats());

  close(): Promise<void> {
    this.#closed ??= this.#queue.then(() => this.#reader.close());
    return this.#closed;
  }

  async #read<R>(ask: (state: State) => R): Promise<R> {
    if (this.#closed) throw new Error('the storage is closed');
    return ask(await this.#state());
  }

  async #state(): Promise<State> {
    const { InMemoryStorageState } = (await import(pathToFileURL(folder).href)) as {
      InMemoryStorageState: new () => State;
    };
    const state = new InMemoryStorageState();
    const events = this.#reader.read(0, 100_000, {
      runId: this.#runId,
    }) as readonly AgentEvent<'session.entry'>[];
    for (const [index, { payload }] of events.entries()) {
      const logged: SessionEntry = { entryId: payload.entry_id, parentId: undefined, entry: payload.entry };
      const { data } = await fromLog(logged, index, this.#blobs);
      state.applyValidated([data as CommittedWrite]);
    }
    return state;
  }
}
