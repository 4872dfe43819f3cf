/**
 * A monotonic time line that all threads of this host share, milliseconds with fractions. `performance.now` starts
 * again in every thread; it is laid over the host's own clock once, and read without allocating after that.
 */
export function sharedMonotonic(): () => number {
  let offset = Number.POSITIVE_INFINITY;
  // The smallest of a few differences has the least delay between its two readings.
  for (let i = 0; i < 16; i++) {
    const local = performance.now();
    offset = Math.min(offset, Number(process.hrtime.bigint()) / 1e6 - local);
  }
  return () => performance.now() + offset;
}
