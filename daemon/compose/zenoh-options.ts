import type { ZenohOptions } from '../../adapters/zenoh/native-key-space.ts';
import type { DriverOptions } from '../../adapters/zenoh/open-key-space.ts';
import { zenohSettings } from '../../adapters/zenoh/policy.ts';
import type { DeliveryRule, ZenohPolicy } from '../../adapters/zenoh/policy-types.ts';
import { readTls } from '../../adapters/zenoh/tls-files.ts';
import { EdgeError, type Nanoseconds } from '../../contract/core.ts';
import { CONFIG_SPEC, type Config } from '../config/keys.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type ZenohConfig = Config['zenoh'];

/** What a session is opened with. Reads the certificates, so that each opening takes those of now. */
export function zenohOptions(zenoh: ZenohConfig, env: Environment, now: Nanoseconds): ZenohOptions {
  const { mode, listen, connect, shared_memory: sharedMemoryBytes } = zenoh;
  return {
    mode,
    listen,
    connect,
    sharedMemoryBytes,
    delivery: zenoh.delivery.map(delivery),
    config: zenohSettings(zenohPolicy(zenoh, env, now)),
  };
}

/**
 * Whether anything of the configuration asks for Zenoh: a key of its own, a route, or a robot behind it. Where nothing does, a
 * host without a driver lacks nothing.
 */
export function asksForZenoh(
  { zenoh, robot, routes }: Pick<Settings['config'], 'zenoh' | 'robot' | 'routes'>,
  env: Environment,
): boolean {
  const isKey = Object.entries(CONFIG_SPEC.zenoh).some(
    ([key, { fallback }]) => JSON.stringify(zenoh[key as keyof ZenohConfig]) !== JSON.stringify(fallback),
  );
  const isRoute = routes.some(({ from, to }) => from.kind === 'zenoh' || to.kind === 'zenoh');
  return isKey || isRoute || robot.source === 'ros_zenoh' || env['AURAISON_ZENOH_NATIVE'] !== undefined;
}

/** Which driver is wanted, and what of the configuration only the native one can do. */
export function driverOptions(zenoh: ZenohConfig): DriverOptions {
  const { driver, remote_url: remoteUrl } = zenoh;
  const nativeOnly = POLICIES.filter((name) => zenoh[name].length > 0).map((name) => `zenoh.${name}`);
  return { driver, remoteUrl, nativeOnly };
}

const POLICIES = ['tls_ca', 'tls_certificate', 'access', 'downsampling', 'size_limits'] as const;

function zenohPolicy(zenoh: ZenohConfig, env: Environment, now: Nanoseconds): ZenohPolicy {
  const tls = readTls(zenoh, (reference, key) => readSecret(reference, key, env), now);
  const nameless = zenoh.access.findIndex(({ names }) => names.length > 0);
  if (nameless >= 0 && !(tls?.mutual && tls.ca !== undefined)) {
    throw new EdgeError('config.invalid', {
      operation: 'read Zenoh policies',
      subject: `zenoh.access[${nameless + 1}].names`,
      message: 'a rule for names of certificates needs mutual TLS: without it no client has to show one',
      hint: 'set zenoh.tls_ca, tls_certificate and tls_key, leave tls_mutual = true, and use tls/ endpoints only',
    });
  }
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(zenoh.access.length === 0 ? {} : { access: { fallback: zenoh.access_default, rules: zenoh.access } }),
    downsampling: zenoh.downsampling.map(({ rate, ...rule }) => ({ ...rule, rateHz: rate })),
    sizeLimits: zenoh.size_limits.map(({ size, ...rule }) => ({ ...rule, bytes: size })),
    sharedMemory: zenoh.shared_memory > 0,
  };
}

function delivery({ keys, priority, congestion, express }: ZenohConfig['delivery'][number]): DeliveryRule {
  return {
    keys,
    ...(priority === 'as_sent' ? {} : { priority }),
    ...(congestion === 'as_sent' ? {} : { congestion }),
    ...(express ? { express } : {}),
  };
}
