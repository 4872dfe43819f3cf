import { spawn } from 'node:child_process';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { probeBridge } from '../../adapters/zenoh/remote-probe.ts';
import { zenohPeers } from '../../test/support/zenoh.ts';
import type { PeerRole } from './zenoh-peer-roles.ts';

/**
 * The WebSocket of a bridge for two processes of a benchmark, at the port of `endpoint`. The one that is started
 * first brings the bridge along, and the kernel ends it with that process, however that ends.
 */
export async function benchBridge(role: PeerRole, endpoint: string): Promise<string> {
  const address = endpoint.replace('tcp/', '');
  const url = `ws://${address}`;
  if (role === 'serve' || role === 'sink') {
    const bridge = [zenohPeers().bridge, '--ws-port', address, '--no-multicast-scouting'];
    spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...bridge, '-l', 'tcp/127.0.0.1:0'], { stdio: 'ignore' });
  }
  const clock = new SystemClock();
  for (let tries = 0; ; tries++) {
    try {
      await probeBridge(url, clock, 2_000);
      return url;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
