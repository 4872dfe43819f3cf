import { EdgeError } from '../../contract/core.ts';

/** No message of ROS is nested deeper, and deeper ones would exhaust the stack of the code that walks them. */
const DEPTH_MAX = 64;

/**
 * Checks a value for the ROS graph before it is encoded. JSON knows neither NaN nor infinity, but
 * `1e999` is read as one: a controller would move somewhere. NaN is written as `null`, and a field that is left out is
 * zero: a `null` that counted as zero would be another motion than its sender meant. Throws `schema.invalid`, naming the path.
 */
export function checkRosValue(value: unknown, path: string, depth = 0): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw bad(path, 'must be a finite number');
  if (value === null) throw bad(path, 'must not be null: leave a field out that is to be zero');
  if (typeof value !== 'object') return;
  if (depth >= DEPTH_MAX) throw bad(path.slice(0, 80), `nested deeper than ${DEPTH_MAX}`);
  if (ArrayBuffer.isView(value)) {
    if (value instanceof Float32Array || value instanceof Float64Array)
      for (const one of value) checkRosValue(one, path, depth + 1);
    return;
  }
  for (const [key, inner] of Object.entries(value)) checkRosValue(inner, `${path}/${key}`, depth + 1);
}

function bad(path: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'send to ROS',
    subject: path,
    message: `${path}: ${message}`,
  });
}
