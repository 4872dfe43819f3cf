import { Budget, refused } from './budget.ts';
import { ByteSource } from './byte-source.ts';
import { PICKLE_LIMITS, type PickleLimits } from './limits.ts';
import { PickleReader } from './pickle-reader.ts';
import type { PyValue } from './values.ts';

export { readFloats, readPixels } from './elements.ts';
export { OBSERVATION_LIMITS, PICKLE_LIMITS, type PickleLimits, SETUP_LIMITS } from './limits.ts';
export { PickleWriter } from './pickle-writer.ts';
export * from './values.ts';

/**
 * One pickle of the wire as plain values; bytes in it are views of the input. Never executes, imports or looks up
 * anything. Throws `wire.refused`, naming opcode or global and where it stands.
 */
export function readPickle(bytes: Uint8Array, limits: PickleLimits = PICKLE_LIMITS): PyValue {
  if (bytes.byteLength > limits.bytesMax)
    throw refused(`a pickle of ${bytes.byteLength} bytes, ${limits.bytesMax} at most`);
  const source = new ByteSource(bytes);
  const value = new PickleReader(source, new Budget(limits)).read();
  if (source.left > 0) throw refused(`${source.left} bytes after its end`, source.at);
  return value;
}
