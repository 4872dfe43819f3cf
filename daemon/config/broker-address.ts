import { isLoopbackHost } from './loopback.ts';

/** An address of a broker, without user and password: `mqtt://HOST:1883` or `mqtts://HOST:8883`. */
export const BROKER_ADDRESS = /^mqtts?:\/\/[^@\s/?#]+\/?$/;

/** Whether what goes to this broker goes in plain text to another host. Throws `TypeError` where it is no URL. */
export function isPlainBroker(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'mqtt:' && !isLoopbackHost(hostname);
}
