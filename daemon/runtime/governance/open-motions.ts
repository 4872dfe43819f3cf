import { type AgentEvent, type EventKind, fromWireTime, toMs } from '../../../contract/index.ts';

/** Running motions that are remembered. */
const OPEN_MAX = 4_096;

/** Events about motions. */
export const MOTION_KINDS: readonly EventKind[] = ['run.started', 'tool.called', 'tool.returned'];

type Motion = {
  readonly runId: string | undefined;
  readonly deadlineMs: number;
  /** Wall time since when it is not accounted for. */
  sinceMs: number;
  /** What came before a cut is accounted for. */
  cut: boolean;
};

/**
 * Calls that move the robot, from their start to their end in the log. How long a call moved it says its end; of
 * for one that an interruption ended it is unknown: it counts until the robot was stopped at the restart.
 */
export class OpenMotions {
  readonly #open = new Map<string, Motion>();

  /** Milliseconds of motion that an event reports. */
  take(event: AgentEvent): number {
    const now = toMs(fromWireTime(event.ts));
    switch (event.kind) {
      case 'tool.called': {
        const { call_id, effect, deadline_ms } = event.payload;
        if (effect !== 'actuate') return 0;
        this.#open.set(call_id, { runId: event.run_id, deadlineMs: deadline_ms, sinceMs: now, cut: false });
        const [oldest] = this.#open.keys();
        if (this.#open.size > OPEN_MAX) this.#open.delete(oldest!);
        return 0;
      }
      case 'run.started':
        return this.#cutOff(event.run_id, now);
      case 'tool.returned': {
        const { call_id, duration_ms, error } = event.payload;
        const motion = this.#open.get(call_id);
        if (!motion) return 0;
        this.#open.delete(call_id);
        // The end of a run that could not continue: no attempt started that would have reported the interruption.
        const unseen = error?.code === 'run.interrupted' && !motion.cut;
        return unseen ? lasted(motion, now) : duration_ms;
      }
      default:
        return 0;
    }
  }

  /** Another attempt starts: whatever the one before left running was interrupted, and may be repeated from here. */
  #cutOff(runId: string | undefined, now: number): number {
    let sum = 0;
    for (const motion of this.#open.values()) {
      if (motion.runId !== runId) continue;
      sum += lasted(motion, now);
      motion.sinceMs = now;
      motion.cut = true;
    }
    return sum;
  }
}

/** At most its deadline, and that where the clock was set back and gives nothing. */
function lasted({ sinceMs, deadlineMs }: Motion, now: number): number {
  return now < sinceMs ? deadlineMs : Math.min(now - sinceMs, deadlineMs);
}
