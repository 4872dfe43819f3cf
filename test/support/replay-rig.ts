import { createHash } from 'node:crypto';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { Application, BlobStore, Harness, Tool } from '../../contract/index.ts';
import { FlowHarness } from '../../daemon/runtime/flow/flow-harness.ts';
import { looped } from '../../daemon/runtime/loop/loop-harness.ts';
import type { ReplayParts } from '../../daemon/runtime/replay/replay-run.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, type MemoryLogDisk } from '../fakes/memory-event-log.ts';

/** Of a foreign runtime, which is not here. */
const NONE: Harness = { kind: 'remote', execute: () => Promise.reject(new Error('no runtime is here')) };

export type ReplayRigOptions = {
  readonly harness?: Harness;
  readonly tools?: readonly Tool[];
  readonly blobs?: BlobStore;
};

/** A replay of what is on this disk, by this application. */
export function replayParts(
  disk: MemoryLogDisk,
  app: Application,
  options: ReplayRigOptions = {},
): ReplayParts {
  disk.writer = undefined;
  const log = new MemoryEventLog({ cell: 'runtime', clock: new ManualClock(), disk });
  return {
    reader: log.reader(),
    host: new SystemClock(),
    load: () => ({
      app,
      harness: options.harness ?? (app.flow ? looped(app, new FlowHarness(app.flow)) : NONE),
    }),
    tools: options.tools ?? [],
    blobs: options.blobs,
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
  };
}
