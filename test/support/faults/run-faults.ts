import type { BoundKind } from './bounds.ts';
import type { FaultSpec } from './faults.ts';
import { ATTACHED, FAR_RUNS, isHand, type Motion, RUNS } from './motions.ts';

const virtual = 'virtual' as const;
const IN_RUNS = { base: RUNS, arm: RUNS } as const;
/** A play of recorded commands is not a run, and is stopped and refused as they are. */
const WITH_PLAYS = { base: [...RUNS, 'play'], arm: RUNS } as const;
const FAR = { base: [...FAR_RUNS, ...ATTACHED], arm: FAR_RUNS } as const;
/** Runs, and hands at a client that is attached: all that came after the API. */
const NEWER = { base: [...RUNS, ...ATTACHED], arm: RUNS } as const;
const STOPPED = { base: [...RUNS, ...ATTACHED, 'play'], arm: RUNS } as const;
const PUBLISHED = { base: ['publish'], arm: ['publish'] } as const;
/** Two parts of a flow ask one after the other, and the second may start when everything wakes up. */
const ONE_MOTION = RUNS.filter((way) => way !== 'parallel');

const by =
  (ofRun: BoundKind) =>
  (motion: Motion): BoundKind =>
    isHand(motion) ? 'expired' : ofRun;

/**
 * Faults of the ways in that lead through runs, and of clients that are attached. The runtime cell is the real one too: its
 * runs, its tool gate, its policies.
 */
export const RUN_FAULTS: readonly FaultSpec[] = [
  {
    ...{ id: 'runs.stop', what: 'POST /v1/robot/stop; agents of the runs keep asking', pace: virtual },
    ...{ motions: STOPPED, bound: 'stopped' },
  },
  {
    ...{ id: 'runs.cancel', what: 'the runs are cancelled; their agents keep asking', pace: virtual },
    ...{ motions: IN_RUNS, bound: 'stopped' },
  },
  {
    ...{ id: 'runs.stop-killed', what: 'POST /v1/robot/stop, answered; then kill -9 of the runtime cell' },
    ...{ pace: virtual, motions: IN_RUNS, bound: 'stopped' },
  },
  {
    ...{ id: 'runs.estop', what: 'the emergency stop by API, file, topic or key; every caller keeps asking' },
    ...{ pace: virtual, motions: STOPPED, bound: 'cut by file' },
  },
  {
    ...{
      id: 'runs.estop-killed',
      what: 'the emergency stop; then kill -9 of both cells; every caller keeps asking',
    },
    ...{ pace: virtual, motions: NEWER, bound: 'cut by file' },
  },
  {
    ...{ id: 'runs.takeover', what: 'a person takes the robot over from runs whose callers keep asking' },
    ...{ pace: virtual, motions: WITH_PLAYS, bound: 'never' },
  },
  {
    ...{
      id: 'runs.takeover-killed',
      what: 'the same, and the runtime cell is killed while the person has it',
    },
    ...{ pace: virtual, motions: IN_RUNS, bound: 'never' },
  },
  {
    ...{ id: 'runs.execution.kill', what: 'kill -9 of the execution cell', pace: virtual, motions: NEWER },
    bound: 'cut at once',
  },
  {
    ...{ id: 'runs.runtime.kill', what: 'kill -9 of the runtime cell', pace: virtual, motions: NEWER },
    bound: by('stopped'),
  },
  {
    ...{ id: 'runs.runtime.freeze', what: 'SIGSTOP of the runtime cell, then SIGCONT', pace: virtual },
    ...{ motions: NEWER, lasts: [2_700, 60_000], bound: by('silent cell') },
  },
  {
    ...{ id: 'runs.host.freeze', what: 'every process but the robot is frozen (a suspended host)' },
    ...{ pace: virtual, bound: 'silent', lasts: [1_300, 60_000] },
    motions: { base: [...ONE_MOTION, ...ATTACHED], arm: ONE_MOTION },
  },
  {
    ...{ id: 'runs.link.cut', what: 'the link to the robot ends', pace: virtual, motions: NEWER },
    ...{ bound: 'cut at once', lasts: [1_000, 20_000] },
  },
  {
    ...{
      id: 'peer.kill',
      what: 'kill -9 of the foreign runtime, or of the attached client, in the midst of a call',
    },
    ...{ pace: virtual, motions: FAR, bound: by('stopped') },
  },
  {
    ...{ id: 'peer.freeze', what: 'SIGSTOP of the foreign runtime, or of the attached client, then SIGCONT' },
    ...{ pace: virtual, motions: FAR, bound: by('silent peer'), lasts: [3_500, 30_000] },
  },
  {
    ...{
      id: 'peer.link',
      what: 'the link to the foreign runtime is lost, and comes back after the stop of its runs',
    },
    ...{ pace: virtual, motions: { base: FAR_RUNS, arm: FAR_RUNS }, bound: 'stopped' },
  },
  {
    ...{ id: 'law.forbids', what: 'a Cedar policy forbids motion; somebody tries, the cells killed or not' },
    ...{ pace: virtual, bound: 'never' },
    motions: {
      base: [...RUNS, ...ATTACHED, 'play', 'navigate', 'drive', 'controller'],
      arm: [...RUNS, 'trajectory', 'gripper', 'controller'],
    },
  },
  {
    ...{
      id: 'law.changes',
      what: 'such a policy is loaded while runs move it, then a stop; every caller keeps asking',
    },
    ...{ pace: virtual, motions: IN_RUNS, bound: 'stopped' },
  },
  {
    ...{
      id: 'webhook.forged',
      what: 'webhooks without the secret, of another time, changed, or without a signature',
    },
    ...{ pace: virtual, motions: { base: ['idle'], arm: ['idle'] }, bound: 'never' },
  },
  {
    ...{
      id: 'route.keys',
      what: 'commands at keys of Zenoh, through a route into the robot: without a lease, beside one, in a stop',
    },
    ...{ pace: virtual, motions: { base: ['idle'], arm: ['idle'] }, bound: 'never' },
  },
  {
    ...{
      id: 'live.blink',
      what: 'a short freeze of the runtime cell, velocities of a live client in its pipe',
    },
    ...{ pace: virtual, motions: { base: ['live'] }, lasts: [450, 1_650], bound: 'expired' },
  },
  {
    ...{
      id: 'attached.held',
      what: 'a stop, or the emergency stop and its release; an attached client keeps steering and asking for the lease',
    },
    ...{ pace: virtual, motions: { base: ATTACHED }, bound: 'stopped' },
  },
  {
    ...{
      id: 'attached.tries',
      what: 'an attached client commands without the lease: elsewhere, beside one, in an emergency stop',
    },
    ...{ pace: virtual, motions: { base: ATTACHED, arm: ATTACHED }, bound: 'never' },
  },
  {
    ...{
      id: 'broker.holds',
      what: 'a broker holds what central sends, beyond a stop, and then sends all that it ever heard again',
    },
    ...{ pace: virtual, motions: { base: ['mqtt'], arm: ['mqtt'] }, lasts: [300, 12_000], bound: 'stopped' },
  },
  {
    ...{
      id: 'publish.tries',
      what: 'messages into topics of the robot by the API: without a lease, beside one, in an emergency stop',
    },
    ...{ pace: virtual, motions: PUBLISHED, bound: 'never' },
  },
  {
    ...{
      id: 'publish.takeover',
      what: 'the same while a program moves it, and then a person who takes over',
    },
    ...{ pace: virtual, motions: PUBLISHED, bound: 'never' },
  },
];
