import { createHash, randomBytes } from 'node:crypto';
import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type Application,
  type BlobStore,
  type CellContext,
  type Clock,
  EdgeError,
  type Harness,
  IdSource,
  type Tool,
  toMs,
} from '../../contract/core.ts';
import { looped } from '../runtime/loop/loop-harness.ts';
import { keyOf } from '../runtime/packages/package-key.ts';
import type { Settings } from '../settings.ts';
import { foresightHarnesses, makeForesight } from './cosmos.ts';
import { extensionsForReplay, harnessParts } from './extensions.ts';
import { makePackageShelf } from './package-reader.ts';
import { piHarnesses, withHarness } from './pi.ts';
import { flowHarness, makePlanning } from './planning.ts';
import { loadRules } from './shelf-rules.ts';
import { makeTools } from './tools.ts';

export type LoadedForReplay = {
  /** By name and the harness that the run had; undefined: no longer here. */
  readonly load: (
    name: string,
    harness: Harness['kind'],
  ) => { readonly app: Application; readonly harness: Harness } | undefined;
  readonly tools: readonly Tool[];
  readonly blobs: BlobStore;
  /** SHA-256 of blobs that were asked for and are gone. */
  readonly missing: ReadonlySet<string>;
};

/** Applications, harnesses and definitions of tools as the daemon would load them now, with no cell behind them. */
export async function loadedForReplay(
  settings: Settings,
  clock: Clock,
  /** The package of the run, in the version that it had. */
  of?: { readonly name: string; readonly digest: string },
): Promise<LoadedForReplay> {
  const ids = new IdSource(() => toMs(clock.now()), randomBytes);
  const reached = nobody(settings, clock);
  // No Cedar policy is asked and nothing is written: what was decided then is in the record.
  const planning = makePlanning(
    settings.config,
    { ...reached, emit: async () => {} },
    { hooks: [], ids, others: () => today, robotTime: async () => 0n },
  );
  const builtIn = planning ? [planning.app] : [];
  const shelf = makePackageShelf(settings, builtIn, loadRules(settings));
  shelf.read();
  const kept = of && shelf.version(of.name, of.digest);
  // A run is replayed by the version that it had; one that is gone is not replaced by another.
  const today = shelf.apps.map(({ app }) => app).filter(({ name }) => name !== of?.name);
  const apps: readonly Application[] = [...builtIn, ...today, ...(kept ? [kept] : [])];
  const house = makeTools(settings, reached, ids, apps, () => new Set());
  // What a live model's calls would have kept is not kept: the record stays as it is.
  const missing = new Set<string>();
  const blobs = readOnly(house.blobs, missing);
  const extensions = await extensionsForReplay(settings, clock, apps);
  const foresight = await makeForesight(settings, reached, { blobs, hooks: [] });
  const pi = piHarnesses({
    blobs,
    ...harnessParts(extensions),
    promptBlocks: (app) => house.skillsBlock(app) ?? [],
    report: () => {},
  });
  const harnesses = foresightHarnesses(settings, { ...pi, flow: flowHarness(planning) });
  return {
    load: (name, kind) => {
      const found = apps.find((app) => app.name === name);
      if (!found) return undefined;
      const own = [...(found.tools ?? []), ...(extensions?.tools(keyOf(found)) ?? [])];
      const app = withHarness({ ...found, tools: own }, kind);
      const flows = app.flow !== undefined || name === planning?.app.name;
      if (kind === 'flow') return flows ? { app, harness: looped(app, harnesses.flow(app)) } : undefined;
      // What a foreign runtime said is in the record, which alone can say it again.
      if (kind === 'remote') return app.remote ? { app, harness: elsewhere } : undefined;
      return kind === 'pi' && app.agent ? { app, harness: looped(app, harnesses.pi(app)) } : undefined;
    },
    tools: [...house.tools, ...foresight],
    blobs,
    missing,
  };
}

const elsewhere: Harness = {
  kind: 'remote',
  execute: ({ runId }) =>
    Promise.reject(
      new EdgeError('run.not_supported', {
        ...{ operation: 'replay', subject: runId, message: 'its runtime is not here' },
      }),
    ),
};

/** A cell without a bus and with a log that takes nothing. */
function nobody({ dataDir }: Settings, clock: Clock): CellContext {
  const refuse = () =>
    Promise.reject(
      new EdgeError('cell.unavailable', {
        operation: 'replay',
        subject: 'bus',
        message: 'a replay reaches no cell',
      }),
    );
  return {
    name: 'runtime',
    clock,
    log: {
      append: refuse,
      reader: () => openEventReader(dataDir, 'runtime'),
      verify: refuse,
      close: async () => {},
    },
    bus: { request: refuse, handle: () => {}, broadcast: () => {}, onBroadcast: () => {} },
    dataDir,
    attempt: 0,
    startReason: 'replay',
    report: () => {},
    emit: refuse,
  };
}

/** Reads what is there; keeps what is new in memory, bounded by the life of one replay. */
function readOnly(blobs: BlobStore, missing: Set<string>): BlobStore {
  const own = new Map<string, Uint8Array>();
  return {
    put: async (bytes) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      own.set(sha256, Uint8Array.from(bytes));
      return sha256;
    },
    get: async (sha256) => {
      const bytes = own.get(sha256) ?? (await blobs.get(sha256));
      if (!bytes) missing.add(sha256);
      return bytes;
    },
    renew: async (sha256) => own.has(sha256) || (await blobs.get(sha256)) !== undefined,
  };
}
