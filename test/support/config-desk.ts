import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { CellBus, NewEvent } from '../../contract/index.ts';
import type { DeskParts } from '../../daemon/config/desk.ts';

/** What a desk of the configuration needs besides its settings: a daemon that is never asked to read its file. */
export function deskParts(
  bus: Pick<CellBus, 'onBroadcast'> = { onBroadcast: () => {} },
  more: Partial<DeskParts> = {},
): DeskParts {
  let ids = 0;
  return {
    bus: bus as CellBus,
    clock: new SystemClock(),
    emit: async (_events: readonly NewEvent[]) => {},
    usualFile: '/nonexistent/auraison-edge.toml',
    reload: () => {},
    newId: () => `trial-${++ids}`,
    ...more,
  };
}
