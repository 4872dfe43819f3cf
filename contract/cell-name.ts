/** The cells of the daemon; each is one OS process (or inline) and owns one event log. */
export const CELL_NAMES = ['execution', 'runtime', 'memory', 'link'] as const;
export type CellName = (typeof CELL_NAMES)[number];
