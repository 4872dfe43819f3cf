/**
 * The life of motions as one table: what happens in each state on each event. Nothing else decides it; the
 * `Navigator` only carries the effects out.
 *
 * - `moving`: a motion runs (navigate or maneuver).
 * - `stopping`: a motion has ended or a stop was asked for; commands are zero until the robot stands still.
 */
export const MOTION_STATES = ['idle', 'moving', 'stopping'] as const;
export type MotionState = (typeof MOTION_STATES)[number];

/**
 * - `request`: a caller asks for a motion. - `finish`: the running motion reached its own end.
 * - `cancel`: its caller takes back the running motion. - `stop`: whatever it is, stand still now.
 * - `still`: the measured twist is about zero, or standing still was waited for long enough.
 */
export const MOTION_EVENTS = ['request', 'finish', 'cancel', 'stop', 'still'] as const;
export type MotionEvent = (typeof MOTION_EVENTS)[number];

/**
 * - `begin` starts the requested motion. - `queue` keeps it until the robot stands; one already queued is
 * answered `preempted`. - `end` notes the outcome of the running motion. - `unqueue` answers a queued motion
 * `stopped`. - `settle` answers the ended motion and each caller of a stop.
 */
export type MotionEffect = 'begin' | 'queue' | 'end' | 'unqueue' | 'settle';

export type Transition = { readonly next: MotionState; readonly effects: readonly MotionEffect[] };

export const MOTION_TABLE: Readonly<Record<MotionState, Readonly<Record<MotionEvent, Transition>>>> = {
  idle: {
    request: { next: 'moving', effects: ['begin'] },
    finish: { next: 'idle', effects: [] },
    cancel: { next: 'idle', effects: [] },
    stop: { next: 'stopping', effects: [] },
    still: { next: 'idle', effects: [] },
  },
  moving: {
    request: { next: 'stopping', effects: ['end', 'queue'] },
    finish: { next: 'stopping', effects: ['end'] },
    cancel: { next: 'stopping', effects: ['end'] },
    stop: { next: 'stopping', effects: ['end'] },
    still: { next: 'moving', effects: [] },
  },
  stopping: {
    request: { next: 'stopping', effects: ['queue'] },
    finish: { next: 'stopping', effects: [] },
    cancel: { next: 'stopping', effects: [] },
    stop: { next: 'stopping', effects: ['unqueue'] },
    // A queued motion is requested again from `idle`.
    still: { next: 'idle', effects: ['settle'] },
  },
};
