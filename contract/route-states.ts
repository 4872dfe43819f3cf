/**
 * `up`: works, as far as can be observed. `silent`: matched, but nothing comes. `diverged`: less comes than the other
 * side says it sent. `rebuilt`: just declared again. `idle`: a steady topic does not come, although everything was
 * tried: its sender stopped, and nothing is lost. `down`: one of its ends is not there.
 */
export const ROUTE_STATES = ['up', 'silent', 'diverged', 'rebuilt', 'idle', 'down'] as const;
export type RouteState = (typeof ROUTE_STATES)[number];
