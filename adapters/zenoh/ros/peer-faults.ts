import type { Qos, RosQosReport } from '../../../contract/core.ts';

/** An incompatibility between an endpoint of this node and one of another node. */
export type PeerFault = {
  readonly kind: 'incompatible' | 'type';
  readonly message: string;
  readonly hint: string;
};

/** Faults held; beyond it the oldest goes. */
const FAULTS_MAX = 256;
/** Different messages about one topic; other nodes must not fill our log. */
const TOLD_MAX = 8;

/** Incompatibilities with nodes on rmw_zenoh, by topic, counted since the start, in the words for operators. */
export class PeerFaults {
  readonly #warn: (message: string) => void;
  readonly #reports = new Map<string, { report: RosQosReport; readonly told: Set<string> }>();

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  tell(topic: string, direction: 'in' | 'out', ours: Qos, { kind, message, hint }: PeerFault): void {
    const key = `${topic} ${direction} ${kind}`;
    const known = this.#reports.get(key);
    const told = known?.told ?? new Set();
    const count = (known?.report.count ?? 0) + 1;
    if (!known && this.#reports.size >= FAULTS_MAX) this.#reports.delete(this.#reports.keys().next().value!);
    this.#reports.set(key, { report: { topic, direction, kind, count, ours, message, hint }, told });
    if (told.has(message) || told.size >= TOLD_MAX) return;
    told.add(message);
    this.#warn(`${message}; ${hint}`);
  }

  reports(): RosQosReport[] {
    return [...this.#reports.values()].map(({ report }) => report);
  }
}
