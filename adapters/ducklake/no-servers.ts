import { EdgeError, type LakePlace } from '../../contract/core.ts';

/** Why a lake is not moved where no servers are configured for it. */
export function noServers(): EdgeError {
  return new EdgeError('lake.unavailable', {
    ...{ operation: 'lake.move', subject: 'lake.catalog', retryable: false },
    message: 'no servers are configured for the lakehouse',
    hint: 'set lake.catalog, lake.storage and their credentials, and restart the daemon',
  });
}

/** In place of `LakePlaces` where no servers are configured; it loads no engine. */
export const STAYS = {
  moving: (): LakePlace | undefined => undefined,
  intend: (): Promise<void> => Promise.reject(noServers()),
  mover: (): Promise<never> => Promise.reject(noServers()),
};
