import { type Clock, EdgeError, type KeySpace } from '../../contract/core.ts';
import { BulkLane } from './bulk-lane.ts';
import { NativeKeySpace, type ZenohOptions } from './native-key-space.ts';
import { reportZenohDriver } from './native-loader.ts';
import { RemoteKeySpace } from './remote-key-space.ts';
import { probeBridge } from './remote-probe.ts';

export type DriverWish = 'auto' | 'native' | 'remote';

export type DriverOptions = {
  readonly driver: DriverWish;
  /** WebSocket of a `zenoh-bridge-remote-api`. */
  readonly remoteUrl: string;
  /**
   * Names of configured policies (certificates, access, limits) that only the native driver applies. With any of
   * them no bridge is used: it would silently ignore them.
   */
  readonly nativeOnly: readonly string[];
};

/** Which driver runs, and why this one. */
export type DriverChoice = {
  readonly driver: 'native' | 'remote' | 'none';
  readonly why: string;
  /** A hint; empty when a driver runs. */
  readonly fix: string;
};

const PROBE_MS_MAX = 2_000;

/** Looks for drivers: `auto` takes the native driver, and without it a bridge that answers. */
export async function chooseDriver(options: DriverOptions, clock: Clock): Promise<DriverChoice> {
  const { driver, remoteUrl } = options;
  const native = driver === 'remote' ? undefined : reportZenohDriver();
  if (native && native.driver === 'native') {
    return { driver: 'native', why: `${native.version}: ${native.why}`, fix: '' };
  }
  const lacking = native && `no native Zenoh driver: ${native.why}`;
  if (lacking && driver === 'native') return { driver: 'none', why: lacking, fix: FIX_NATIVE };
  if (options.nativeOnly.length > 0) {
    const why = `${options.nativeOnly.join(', ')}: only the native driver applies these keys, not a bridge`;
    const fix = native ? FIX_NATIVE : 'set them in the configuration of the bridge instead';
    return { driver: 'none', why: lacking ? `${lacking}; ${why}` : why, fix };
  }
  try {
    await probeBridge(remoteUrl, clock, PROBE_MS_MAX);
    const why = lacking ? `a bridge answers at ${remoteUrl}; ${lacking}` : `configured; ${remoteUrl} answers`;
    return { driver: 'remote', why, fix: '' };
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'zenoh.failed', 'reach the remote-api bridge', remoteUrl);
    const bridge = `no bridge at ${remoteUrl}: ${error.message}`;
    if (!lacking) return { driver: 'none', why: bridge, fix: error.hint };
    return { driver: 'none', why: `${lacking}; ${bridge}`, fix: `${FIX_NATIVE}, or ${error.hint}` };
  }
}

const FIX_NATIVE =
  'with Rust installed, `auraison zenoh build` builds the driver once; or set AURAISON_ZENOH_NATIVE to the path of a driver';

/**
 * Opens the key space with the driver that `chooseDriver` finds. Throws `zenoh.unavailable` where only the native
 * driver is wanted and it is missing; `zenoh.failed` where a bridge may still come; as the driver otherwise.
 */
export async function openKeySpace(
  options: DriverOptions & ZenohOptions & { readonly bulkConnection?: boolean },
  deps: { readonly clock: Clock; readonly onFault?: (error: EdgeError) => void },
): Promise<{ readonly keySpace: KeySpace; readonly choice: DriverChoice }> {
  const choice = await chooseDriver(options, deps.clock);
  if (choice.driver === 'none') {
    throw new EdgeError(options.driver === 'native' ? 'zenoh.unavailable' : 'zenoh.failed', {
      operation: 'open key space',
      subject: 'zenoh',
      message: choice.why,
      hint: choice.fix,
      retryable: options.driver !== 'native',
    });
  }
  const keySpace =
    choice.driver === 'native'
      ? await openNative(options, deps)
      : await RemoteKeySpace.open({ url: options.remoteUrl, delivery: options.delivery }, deps);
  return { keySpace, choice };
}

type NativeDeps = Parameters<typeof NativeKeySpace.open>[1];

async function openNative(
  options: ZenohOptions & { readonly bulkConnection?: boolean },
  deps: NativeDeps,
): Promise<KeySpace> {
  if (!options.bulkConnection) return NativeKeySpace.open(options, deps);
  if ((options.connect ?? []).length === 0) {
    throw new EdgeError('config.invalid', {
      operation: 'open key space',
      subject: 'zenoh.bulk_connection',
      message: 'a second connection needs a peer, but zenoh.connect is empty',
      hint: 'name the router in zenoh.connect, or leave bulk_connection = false',
    });
  }
  const main = await NativeKeySpace.open(options, deps);
  try {
    const bulk = await NativeKeySpace.open({ ...options, mode: 'client', listen: [] }, deps);
    return new BulkLane(main, bulk, options.delivery);
  } catch (error) {
    await main.close();
    throw error;
  }
}
