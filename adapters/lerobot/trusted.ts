import { BlockList, isIP } from 'node:net';
import { EdgeError } from '../../contract/core.ts';

/** Addresses and networks of clients that need no token. Throws `config.invalid` naming the one that is neither. */
export function trustedHosts(entries: readonly string[]): (host: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    try {
      if (isIP(address) === 0) throw new Error('no address');
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
    } catch (cause) {
      throw new EdgeError('config.invalid', {
        operation: 'serve LeRobot',
        subject: 'serve.lerobot_trusted',
        message: `serve.lerobot_trusted: ${entry.slice(0, 64)} is neither an address nor a network`,
        hint: 'for example "192.168.1.20" or "10.0.0.0/24"',
        cause,
      });
    }
  }
  // A socket that takes both families shows IPv4 addresses in the words of IPv6; the list knows both.
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

/** 127.0.0.0/8 and ::1. */
export const isLoopback = trustedHosts(['127.0.0.0/8', '::1']);
