import { X509Certificate } from 'node:crypto';
import { type Clock, EdgeError, LIMITS, toMs } from '../contract/core.ts';
import type { CentralHttp, TlsFacts } from './central-http.ts';
import { type IdentityStore, renew } from './enrol.ts';

export type RenewalParts = {
  readonly http: CentralHttp;
  readonly robot: string;
  readonly store: IdentityStore;
  readonly clock: Clock;
  /** The certificate that counts now; undefined: the robot is not enrolled. */
  readonly facts: () => TlsFacts | undefined;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

/**
 * Gets a new key and certificate in time: when a third of its life is left, and also after it has expired, since a robot may have
 * been off for long. The one before counts until the new one was used.
 */
export class Renewal {
  readonly #parts: RenewalParts;
  #lookedMs = -Infinity;
  #reason = '';

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** Never throws; a failure is reported once and tried again at the next look. */
  async look(): Promise<void> {
    const { clock, http, robot, store, report } = this.#parts;
    const now = clock.monotonicMs();
    if (now - this.#lookedMs < LIMITS.LINK_RENEW_LOOK_MS) return;
    this.#lookedMs = now;
    try {
      if (!this.#isDue()) return;
      const until = await renew(http, robot, store);
      this.#reason = '';
      report('info', 'the certificate of this robot was renewed', { until: until.toISOString() });
    } catch (thrown) {
      const { code, message, hint } = EdgeError.from(thrown, 'internal.fault', 'renew certificate', robot);
      if (message !== this.#reason)
        report('warn', 'the certificate of this robot is not renewed', { code, message, hint });
      this.#reason = message;
    }
  }

  close(): void {
    this.#parts.http.close();
  }

  #isDue(): boolean {
    const { facts, clock } = this.#parts;
    const cert = facts()?.cert;
    if (cert === undefined) return false;
    const { validFromDate, validToDate } = new X509Certificate(cert);
    const whole = validToDate.getTime() - validFromDate.getTime();
    return validToDate.getTime() - toMs(clock.now()) < whole / 3;
  }
}
