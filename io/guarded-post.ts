import { lookup as systemLookup } from 'node:dns/promises';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { type Clock, EdgeError, type PushOrder, type PushPost } from '../contract/core.ts';

type Address = { readonly address: string; readonly family: number };

export type GuardedPostParts = {
  readonly clock: Clock;
  /** From the look-up of the name to the status of the answer, milliseconds. */
  readonly answerMs: number;
  readonly lookup?: (host: string) => Promise<readonly Address[]>;
};

/** Networks in which no receiver is: "any" host, link-local, groups, and where clouds describe their machines. */
const NEVER = new BlockList();
for (const [net, prefix] of [
  ...[['0.0.0.0', 8] as const, ['169.254.0.0', 16] as const, ['224.0.0.0', 4] as const],
  ...[['240.0.0.0', 4] as const, ['100.100.100.200', 32] as const, ['168.63.129.16', 32] as const],
  ['192.0.0.0', 24] as const,
] as const)
  NEVER.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ...[['::', 128] as const, ['fe80::', 10] as const, ['ff00::', 8] as const, ['64:ff9b::', 96] as const],
  ...[['fd00:ec2::254', 128] as const, ['fd20:ce::254', 128] as const, ['2002::', 16] as const],
] as const)
  NEVER.addSubnet(net, prefix, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Why nothing is sent to this address of that host; undefined: it may be. IPv4 in the form of IPv6 counts as IPv4. Pure. */
export function refusedAddress(host: string, address: string): string | undefined {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0) return 'is no address';
  if (NEVER.check(address, family)) return 'is link-local or of no single receiver';
  const isThisHost = host === 'localhost' || (isIP(host) !== 0 && LOOPBACK.check(host, familyOf(host)));
  if (LOOPBACK.check(address, family) && !isThisHost) return 'is this host';
  return undefined;
}

/**
 * Posts to a receiver that is not trusted. Its name is looked up once for each try, every address is checked, and the
 * connection goes to one of these. Redirects are not followed, and of the answer only the status is read. Rejects with
 * `policy.denied`, `deadline.exceeded` or the fault of the connection.
 */
export function guardedPost({ clock, answerMs, lookup = allAddresses }: GuardedPostParts): PushPost {
  return async ({ url, headers, body, signal }) => {
    const late = new AbortController();
    const timer = clock.after(answerMs, () =>
      late.abort(
        new EdgeError('deadline.exceeded', {
          operation: 'post',
          subject: new URL(url).origin,
          message: `no answer within ${answerMs} ms`,
        }),
      ),
    );
    const either = AbortSignal.any([signal, late.signal]);
    try {
      const found = await untilAborted(addressesOf(url, lookup), either);
      return await send({ url, headers, body, signal: either }, found);
    } catch (thrown) {
      throw late.signal.aborted ? late.signal.reason : thrown;
    } finally {
      timer.cancel();
    }
  };
}

async function addressesOf(
  url: string,
  lookup: NonNullable<GuardedPostParts['lookup']>,
): Promise<readonly Address[]> {
  const host = hostOf(url);
  const family = isIP(host);
  const found = family === 0 ? await lookup(host) : [{ address: host, family }];
  for (const { address } of found) {
    const why = refusedAddress(host, address);
    if (why === undefined) continue;
    throw new EdgeError('policy.denied', {
      operation: 'post',
      subject: host,
      message: `nothing is sent to ${host}: ${address} ${why}`,
    });
  }
  return found;
}

function send(order: PushOrder, found: readonly Address[]): Promise<number> {
  const { url, headers, body, signal } = order;
  // The library asks here instead of the system: no second answer for the name can come between.
  const lookup: LookupFunction = (_host, options, done) => {
    const [first] = found;
    if (!first) done(new Error('the name has no address'), '');
    else if (options.all) done(null, [...found]);
    else done(null, first.address, first.family);
  };
  const request = url.startsWith('https:') ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      ...{ method: 'POST', agent: false, lookup, signal },
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    sent.once('response', (answer: IncomingMessage) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function allAddresses(host: string): Promise<readonly Address[]> {
  return systemLookup(host, { all: true });
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
