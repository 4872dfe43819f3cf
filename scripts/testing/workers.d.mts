export const PEER_WORKERS: number;
