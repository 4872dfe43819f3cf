import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import { fromNative } from './native-errors.ts';
import type { NativeModule, NativeSession } from './native-types.ts';
import type { DeliveryRule } from './policy-types.ts';

export type ZenohOptions = {
  /** `router` makes this process the router of the robot: no zenohd is needed. */
  readonly mode: 'peer' | 'client' | 'router';
  readonly listen?: readonly string[];
  readonly connect?: readonly string[];
  /** Zenoh's own configuration by path, for example `{'transport/link/tls/enable_mtls': true}`; wins over all. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Pool of shared memory for `allocate`, bytes; 0: none. Taken from /dev/shm when first needed. */
  readonly sharedMemoryBytes?: number;
  /** How values are sent, by key; wins over what a sender asks for. */
  readonly delivery?: readonly DeliveryRule[];
};

/** Opening does not wait for the other side, so a slow open is a fault of this host. */
const OPEN_MS_MAX = 10_000;
/** Shared memory of senders that may wait for garbage collection here: half of Zenoh's pool of 16 MiB. */
const PINNED_SHM_BYTES_MAX = 8 * 1024 * 1024;
/** Room for 70 frames of 900 KB on their way to readers. */
const SHARED_MEMORY_BYTES_DEFAULT = 64 * 1024 * 1024;
const SHARED_MEMORY = 'transport/shared_memory/enabled';

/**
 * Opens a session. Where /dev/shm has no room for the few pages that a session needs to share memory at all, it is
 * opened without: values are copied, `onFault` is called, and the robot keeps working.
 */
export async function openSession(
  native: NativeModule,
  options: ZenohOptions,
  wake: () => void,
  deps: { readonly clock: Clock; readonly onFault: (error: EdgeError) => void },
): Promise<NativeSession> {
  try {
    return await attempt(native, options, wake, deps.clock);
  } catch (error) {
    if (!(error instanceof EdgeError) || !/shm segment/i.test(error.message)) throw error;
    const without = {
      ...options,
      sharedMemoryBytes: 0,
      config: { ...options.config, [SHARED_MEMORY]: false },
    };
    const session = await attempt(native, without, wake, deps.clock);
    deps.onFault(
      new EdgeError('zenoh.failed', {
        operation: 'share memory',
        subject: '/dev/shm',
        message: `${error.message}; large values are copied instead`,
        hint: 'free or enlarge /dev/shm (containers: --shm-size), then restart; or set zenoh.shared_memory = "0 B"',
        cause: error,
      }),
    );
    return session;
  }
}

async function attempt(
  native: NativeModule,
  options: ZenohOptions,
  wake: () => void,
  clock: Clock,
): Promise<NativeSession> {
  const subject = [...(options.listen ?? []), ...(options.connect ?? [])].join(' ') || options.mode;
  const opening = native.openSession(
    {
      mode: options.mode,
      listen: [...(options.listen ?? [])],
      connect: [...(options.connect ?? [])],
      overrides: Object.entries(options.config ?? {}).map(([key, value]) => ({
        key,
        value: JSON.stringify(value),
      })),
      pinnedShmBytesMax: PINNED_SHM_BYTES_MAX,
      sharedMemoryBytes: options.sharedMemoryBytes ?? SHARED_MEMORY_BYTES_DEFAULT,
    },
    wake,
  );
  try {
    return await withDeadline(clock, OPEN_MS_MAX, opening, 'open Zenoh session', subject);
  } catch (error) {
    // A session that opens late must not stay open.
    opening.then((late) => late.close().then(() => late.release())).catch(() => {});
    throw fromNative(error, 'open Zenoh session', subject);
  }
}
