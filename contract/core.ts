/**
 * What of the contract needs no schema library: errors, limits, times, samples, ports. Small processes (hosts of
 * robots) and codecs import this one: loading the schemas costs each process some 15 MB and 0.2 s.
 */
export * from './deadline.ts';
export * from './edge-error.ts';
export * from './limits.ts';
export * from './nanoseconds.ts';
export type * from './ports/index.ts';
export * from './sample.ts';
