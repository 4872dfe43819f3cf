/** Files of tests with peers that run at the same time: as many as the processors that they were made for. */
export const PEER_WORKERS = 2;
