import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RemoteKeySpace } from '../../adapters/zenoh/remote-key-space.ts';
import { benchBridge } from './zenoh-bridge.ts';
import { runZenohPeer } from './zenoh-peer-roles.ts';

/** Our driver over zenoh-ts and a bridge as a driver of `bench/zenoh.ts`. */
await runZenohPeer(async (role, endpoint) =>
  RemoteKeySpace.open({ url: await benchBridge(role, endpoint) }, { clock: new SystemClock() }),
);
