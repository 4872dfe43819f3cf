/** Files of tests with peers that run at the same time: they wait half of their time, so three keep two processors busy. */
export const PEER_WORKERS = 3;
