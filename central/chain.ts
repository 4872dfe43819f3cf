import { createHash } from 'node:crypto';
import { type AgentEvent, EdgeError, GENESIS_HASH, hashInput, type LinkPush } from '../contract/index.ts';

/**
 * Checks a batch on its own: one cell, no gap, every hash right, every event chained to the one before it, and
 * an epoch that is its first event. Throws `log.tampered` or `schema.invalid`; what came before the batch is
 * for the store to check.
 */
export function checkBatch(batch: LinkPush): void {
  const cell = batch.lane.slice('events.'.length);
  let previous: LinkPush['events'][number] | undefined;
  batch.events.forEach((event, index) => {
    const at = `/events/${index}`;
    if (event.cell !== cell) throw invalid(batch, `${at}/cell: ${cell} expected, found ${event.cell}`);
    if (previous && event.seq !== previous.seq + 1) {
      throw invalid(batch, `${at}/seq: ${previous.seq + 1} expected, found ${event.seq}`);
    }
    if (previous && event.prev_hash !== previous.hash) {
      throw tampered(batch, `${at}/prev_hash: is not the hash of event ${previous.seq}`);
    }
    if (event.seq === 1 && event.prev_hash !== GENESIS_HASH) {
      throw tampered(batch, `${at}/prev_hash: the first event follows nothing`);
    }
    if (event.seq === 1 && event.event_id !== batch.epoch) {
      throw invalid(batch, `${at}/event_id: the epoch is the id of the first event`);
    }
    if (hashOf(batch, event, at) !== event.hash)
      throw tampered(batch, `${at}/hash: is not that of the event`);
    previous = event;
  });
}

function hashOf(batch: LinkPush, event: LinkPush['events'][number], at: string): string {
  try {
    return createHash('sha256')
      .update(hashInput(event as unknown as AgentEvent))
      .digest('hex');
  } catch (error) {
    // Values that canonical JSON refuses, or nesting deeper than the stack.
    throw invalid(batch, `${at}: cannot be hashed: ${(error as Error).message}`);
  }
}

function invalid(batch: LinkPush, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'push',
    subject: `${batch.robot}/${batch.lane}`,
    message,
  });
}

function tampered(batch: LinkPush, message: string): EdgeError {
  return new EdgeError('log.tampered', {
    operation: 'push',
    subject: `${batch.robot}/${batch.lane}`,
    message,
    hint: 'run "auraison log verify" on the robot',
  });
}
