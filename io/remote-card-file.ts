import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EdgeError } from '../contract/core.ts';
import { cardOf, type RemoteCard } from '../formats/policy-wire/remote-card.ts';

/**
 * A file with `name`, `inputs`, `images`, `output {shape}`, `step_ms`, `action_names`, `takes_task` as in the card of a
 * network, and `keys`. Its hash stands for the policy: the network of such a server cannot be pinned from here.
 * Throws `model.unavailable` naming the file.
 */
export async function readRemoteCard(path: string): Promise<RemoteCard> {
  let text: string;
  let value: unknown;
  try {
    text = await readFile(path, 'utf8');
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong(path, (cause as Error).message, cause);
  }
  const card = cardOf(value, createHash('sha256').update(text).digest('hex'));
  if (typeof card === 'string') throw wrong(path, card);
  return card;
}

function wrong(path: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject: path,
    message: `${path}: ${message}`,
    hint: 'docs/wires.md has the form of this file',
    cause,
  });
}
