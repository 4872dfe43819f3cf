import type { EdgeError } from '../../contract/index.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';

/** Orders that may move the robot. What stops it or gives a lease back is never too late. */
const MOTION =
  /^\/v1\/(robot\/(navigate|maneuver)|arm\/|controllers\/[^/]+\/start|plays|teleop$|ros\/actions\/goals)/;
const AGAIN_MS = 150;
const TRIES_MAX = 20;

/**
 * A client that sends a motion again where the daemon may take it for an old one, because the host of the tests did not
 * schedule it for a while: as the hint of that refusal says, and as a person would.
 */
export function patientApi(api: ApiClient): ApiClient {
  return {
    ...api,
    get url() {
      return api.url;
    },
    async post<T>(
      path: string,
      body?: unknown,
      timeoutMs?: number,
      headers?: Readonly<Record<string, string>>,
    ) {
      for (let tries = 1; ; tries++) {
        try {
          return await api.post<T>(path, body, timeoutMs, headers);
        } catch (thrown) {
          const isLate = (thrown as EdgeError).code === 'command.expired' && MOTION.test(path);
          if (!isLate || tries === TRIES_MAX) throw thrown;
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      }
    },
  };
}
