import { LIMITS, type TopicSpec } from '../../contract/core.ts';
import { stopMessage } from './messages.ts';
import type { RosOptions } from './options.ts';
import type { Control } from './wire.ts';

/** What a host process is sent to publish a topic; with a guard where the topic moves the robot. Pure. */
export function advertiseOrder(
  channel: number,
  spec: TopicSpec,
  standby: boolean,
  { commandExpiryMs: expiryMs = LIMITS.COMMAND_EXPIRY_MS }: Pick<RosOptions, 'commandExpiryMs'>,
): Omit<Extract<Control, { kind: 'advertise' }>, 'id'> {
  const stop = stopMessage(spec);
  const bounded = spec.speeds !== undefined;
  const guard = stop && { stop: Buffer.from(stop).toString('base64'), expiryMs, standby, bounded };
  return { kind: 'advertise', channel, spec, ...(guard ? { guard } : {}) };
}
