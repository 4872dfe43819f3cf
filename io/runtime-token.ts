import { randomBytes } from 'node:crypto';
import type { Secrets } from '../contract/core.ts';

/** The token of a foreign runtime that has no file of its own; made at its first use. */
export function runtimeToken(secrets: Secrets, name: string): Promise<string> {
  return secrets.readOrCreate(`runtime-${name}.token`, () => randomBytes(32).toString('base64url'));
}
