import { readFileSync } from 'node:fs';
import { EdgeError } from '../contract/core.ts';

/** A file of keys or certificates that are no secret (PEM). `key` names where it stands. Throws `config.unreadable`. */
export function readPem(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { message } = cause as Error;
    throw new EdgeError('config.unreadable', { operation: 'read PEM file', subject: key, message, cause });
  }
}
