/**
 * Files of tests with peers that run at the same time: they wait half of their time, so three keep two processors busy.
 * One of the three takes those that keep them busy alone (heavy.mjs).
 */
export const PEER_WORKERS = 3;
