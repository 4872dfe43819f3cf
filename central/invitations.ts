import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, EdgeError, enrolTokenText, type Secrets } from '../contract/index.ts';
import { Authority, fingerprintOf } from './authority.ts';
import { IDENTITIES_FILE, IdentityRows } from './identity-rows.ts';
import { presenceIn } from './start-mqtt.ts';

/** What robots are to trust, as the coordinator left it when it was started with TLS; public. */
export const AUTHORITIES = 'authorities.pem';

const ROBOT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export type Invited = {
  readonly robot: string;
  /** `invited`: its token was not used yet; else the state of its certificate. */
  readonly state: string;
  readonly until: string;
  readonly since: string;
  /** `online` or `offline`, where a broker said so. */
  readonly presence?: string;
};

/** Tokens for robots, and their withdrawal, in the data directory of a coordinator that may be running. */
export async function openInvitations(dataDir: string, secrets: Secrets, clock: Clock) {
  mkdirSync(dataDir, { recursive: true, mode: 0o750 });
  const rows = new IdentityRows(join(dataDir, IDENTITIES_FILE), () => clock.now());
  return {
    /** The text of a token: a secret, the authority of the coordinator, the name. Throws `config.invalid`, `host.missing`. */
    async invite(robot: string, validMs: number): Promise<string> {
      requireName(robot);
      const secret = randomBytes(32).toString('base64url');
      const authority = await authorityOf(dataDir, secrets, clock);
      rows.addToken(secret, robot, validMs);
      return enrolTokenText({ robot, secret, authority });
    },
    /** Throws `config.invalid`. */
    revoke(robot: string): void {
      requireName(robot);
      rows.revoke(robot);
    },
    list(): Invited[] {
      const presence = new Map(presenceIn(dataDir, clock).map((one) => [one.robot, one.state]));
      return rows.list().map(({ robot, state, not_after_ns, since_ns }) => ({
        ...{ robot, state, since: timeOf(since_ns) },
        ...(presence.has(robot) ? { presence: presence.get(robot)! } : {}),
        until: state === 'revoked' || not_after_ns === '' ? '' : timeOf(not_after_ns),
      }));
    },
    close(): void {
      rows.close();
    },
  };
}

/** Hex; empty: the certificate of the coordinator is from an authority that hosts know. */
async function authorityOf(dataDir: string, secrets: Secrets, clock: Clock): Promise<string> {
  const path = join(dataDir, AUTHORITIES);
  if (!existsSync(path)) return (await Authority.open(secrets, clock)).fingerprint;
  const text = readFileSync(path, 'utf8').trim();
  return text === '' ? '' : fingerprintOf(text);
}

function requireName(robot: string): void {
  if (ROBOT.test(robot)) return;
  throw new EdgeError('config.invalid', {
    ...{ operation: 'enrol robot', subject: 'robot' },
    message: `${JSON.stringify(robot.slice(0, 80))} is not the name of a robot: letters, digits, points and dashes, up to 64, expected`,
    hint: 'the name is daemon.name of its configuration',
  });
}

function timeOf(ns: string): string {
  return new Date(Number(BigInt(ns) / 1_000_000n)).toISOString();
}
