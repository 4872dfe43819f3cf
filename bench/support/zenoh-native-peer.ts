import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { type PeerRole, runZenohPeer } from './zenoh-peer-roles.ts';

/** Our native driver as a driver of `bench/zenoh.ts`. */
await runZenohPeer((role: PeerRole, endpoint, { shared }) => {
  const listens = role === 'serve' || role === 'sink';
  return NativeKeySpace.open(
    {
      mode: 'peer',
      listen: listens ? [endpoint] : [],
      connect: listens ? [] : [endpoint],
      config: { 'transport/shared_memory/enabled': shared },
    },
    { clock: new SystemClock() },
  );
});
