import { EdgeError } from '../../../contract/index.ts';
import type { Admitted } from './intent-desk.ts';

/** Throws `internal.fault` where the function of the application does. */
export function concurrencyKey({ app, intent }: Admitted): string | undefined {
  try {
    const key: unknown = app.sharing?.concurrencyKey?.(intent.params);
    if (key === undefined || key === '') return undefined;
    if (typeof key === 'string') return key.slice(0, 256);
    throw new Error(`concurrencyKey gave ${typeof key} where text is expected`);
  } catch (thrown) {
    throw EdgeError.from(thrown, 'internal.fault', 'concurrency key', app.name);
  }
}
