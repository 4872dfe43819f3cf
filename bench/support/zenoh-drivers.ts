import { join } from 'node:path';
import { ZENOH_CELL_FLAGS } from '../../daemon/compose/cell-flags.ts';
import { zenohPeers } from '../../test/support/zenoh.ts';

/**
 * What `bench/zenoh.ts` compares. A driver is a command that is run as `COMMAND ROLE ENDPOINT OPTIONS`, with the
 * roles of `zenoh-peer-roles.ts`; one line of JSON per result.
 */
export type BenchDriver = {
  readonly name: string;
  readonly command: readonly string[];
  /** Cannot share memory, or has no own for what is sent: such lines are left out. */
  readonly tcpOnly?: boolean;
};

const here = (file: string) => join(import.meta.dirname, file);
const python = zenohPeers().python;

export const PEER: BenchDriver = { name: 'eclipse-zenoh', command: [python, here('zenoh_python_peer.py')] };
/** With the flags of the cell that holds the session in a daemon. */
export const OURS: BenchDriver = {
  name: 'native',
  command: [process.execPath, ...ZENOH_CELL_FLAGS, here('zenoh-native-peer.ts')],
};
export const LIMIT: BenchDriver = {
  name: 'bare socket',
  command: [python, here('bare_socket_peer.py')],
  tcpOnly: true,
};
/** Further ones, shown beside: each line says how many times as fast this project's driver is. */
export const OTHERS: readonly BenchDriver[] = [
  { name: 'zenoh-ts', command: [process.execPath, here('zenoh-ts-peer.ts')], tcpOnly: true },
  { name: 'remote driver', command: [process.execPath, here('zenoh-remote-peer.ts')], tcpOnly: true },
];
