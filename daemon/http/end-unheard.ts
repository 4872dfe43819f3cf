import { LIMITS, type OpenCallName } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

/** The reason in the log of what was ended since its caller had hung up. */
export const UNHEARD = 'the caller hung up before it was answered';

/** Ends what was started for a caller that hung up before the answer; a failure is reported. */
export function endUnheard(ports: Pick<HttpPorts, 'bus' | 'report'>, method: string, body: object): void {
  ports.bus
    .request('execution', method as OpenCallName, body, LIMITS.CELL_REQUEST_MS)
    .catch((error: unknown) => {
      ports.report('warn', `${UNHEARD}, and what it asked for was not ended`, {
        method,
        error: String(error),
      });
    });
}
