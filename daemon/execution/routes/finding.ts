import { type KeySpace, LIMITS } from '../../../contract/core.ts';
import { type Arrivals, seconds } from './arrivals.ts';
import type { Finding } from './canary.ts';
import type { Inlet } from './inlet.ts';
import type { Route } from './route.ts';

/** What is known about the surroundings of a route at a look. */
export type Surroundings = {
  readonly nowMs: number;
  /** Something was handed on since the last look. */
  readonly isProgress: boolean;
  readonly keySpace: KeySpace | undefined;
  readonly isRobotConnected: boolean;
  readonly hasSink: boolean;
  publishersOf(topic: string): number | undefined;
  /** A topic of the robot can be subscribed again alone. */
  readonly canResubscribe: boolean;
};

/** Looks at one route: are its ends there, does the transport take what it sends, does what was sent arrive. */
export function findingOf(
  { route, inlet, arrivals }: { route: Route; inlet: Inlet | undefined; arrivals: Arrivals },
  around: Surroundings,
): Finding {
  const { from, to } = route.spec;
  const kinds = [from.kind, to.kind];
  if (kinds.includes('zenoh') && !around.keySpace) return down('no Zenoh session is open');
  if (inlet && inlet.fault !== '') {
    return { state: 'silent', reason: `subscribing again failed: ${inlet.fault}`, rebuild: 'again' };
  }
  if (inlet && !inlet.isOpen) return down('not subscribed');
  if (to.kind === 'ros' && !around.hasSink) return down('this robot accepts no samples; see robot.source');
  if (kinds.includes('ros') && !around.isRobotConnected) return down('the robot is not connected');
  const stuck = stuckLane(route, around.nowMs);
  if (stuck) return stuck;
  if (route.fault !== '') return { state: 'silent', reason: route.fault, rebuild: 'never' };
  const missing = inlet && (arrivals.finding(around.nowMs) ?? quietTopic(route, arrivals, around.nowMs));
  if (missing) return missing;
  if (from.kind === 'ros') {
    for (const { name, watch } of route.lanes()) {
      // Only a topic that somebody still publishes is owed anything.
      const silentMs = (around.publishersOf(name) ?? 0) > 0 ? watch.silentMs(around.nowMs) : undefined;
      if (silentMs === undefined) continue;
      const reason = `${name} has a publisher and arrived at ${watch.hz.toFixed(1)} Hz, but nothing arrived for ${seconds(silentMs)}`;
      return { state: 'silent', reason, rebuild: around.canResubscribe ? 'once' : 'never' };
    }
  }
  return { state: 'fine', progress: around.isProgress, idle: around.isProgress ? '' : stopped(route) };
}

/** What came steadily once, was tried, and counts as stopped on purpose. */
function stopped(route: Route): string {
  for (const { name, watch } of route.lanes()) {
    if (watch.isGivenUp) return `${name} arrived at ${watch.hz.toFixed(1)} Hz and has stopped`;
  }
  return '';
}

/** Topics of a route that came steadily and stand still: those that a rebuild is for. */
export function quietNames(route: Route, nowMs: number): string[] {
  return [...route.lanes()]
    .filter(({ watch }) => watch.silentMs(nowMs) !== undefined)
    .map(({ name }) => name);
}

/** Nothing can be tried, or it was tried: a topic that stays away is left alone until it comes again. */
export function giveUpOn(route: Route, nowMs: number, afterMs: number): void {
  for (const { watch } of route.lanes()) if ((watch.silentMs(nowMs) ?? 0) > afterMs) watch.giveUp();
}

function down(reason: string): Finding {
  return { state: 'down', reason };
}

/** The transport holds a sample and takes no other: its reader stands still. Declaring again would lose more. */
function stuckLane(route: Route, nowMs: number): Finding | undefined {
  for (const { lane } of route.lanes()) {
    if (lane.inFlightSinceMs === undefined) continue;
    const sinceMs = nowMs - lane.inFlightSinceMs;
    if (sinceMs <= LIMITS.ROUTE_SILENT_MS) continue;
    const reason = `${lane.target}: the transport has accepted nothing for ${seconds(sinceMs)}; a subscriber is stuck`;
    return { state: 'silent', reason, rebuild: 'never' };
  }
  return undefined;
}

/** A sender that reports nothing about itself: only its pace is known, and it may as well have stopped. */
function quietTopic(route: Route, arrivals: Arrivals, nowMs: number): Finding | undefined {
  for (const { name, watch } of route.lanes()) {
    const silentMs = watch.silentMs(nowMs);
    if (silentMs === undefined || arrivals.isTold(name, nowMs)) continue;
    const reason = `${name} arrived at ${watch.hz.toFixed(1)} Hz, but nothing arrived for ${seconds(silentMs)}; its publisher may have stopped`;
    return { state: 'silent', reason, rebuild: 'once' };
  }
  return undefined;
}
