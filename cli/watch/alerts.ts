import { isArmAlone, type Status } from '../status-view.ts';
import type { Alert } from './view.ts';

const BATTERY_LOW = 0.15;

/** What a person who walks by should know first, the worst first. Pure. */
export function alertsOf(status: Status): readonly Alert[] {
  const found: Alert[] = [];
  const add = (level: Alert['level'], text: string) => void found.push({ level, text });
  for (const { name, state, reason } of status.cells)
    if (state !== 'up') add('bad', `cell ${name} is ${state}${because(reason)}`);
  ofRobot(status.robot, add);
  ofRuns(status.runs, add);
  const { recorder, link, lake } = status;
  if (!recorder.available) add('warn', `recorder: ${recorder.reason}`);
  else if (recorder.state === 'failed') add('bad', `recorder failed${because(recorder.reason)}`);
  if (link.available && link.state === 'disconnected')
    add('warn', `no connection to central${because(link.reason)}`);
  if (lake.available && !lake.ready && lake.reason !== '') add('warn', `lakehouse: ${lake.reason}`);
  for (const { name, state, reason } of status.models ?? [])
    if (state === 'down') add('warn', `model ${name} is down${because(reason)}`);
  for (const { tenant, metric, left } of status.quotas ?? [])
    if (left <= 0) add('warn', `quota of ${tenant}: no ${metric} left`);
  return found.sort((a, b) => Number(a.level !== 'bad') - Number(b.level !== 'bad'));
}

type Add = (level: Alert['level'], text: string) => void;

function ofRobot(robot: Status['robot'], add: Add): void {
  if (!robot.available) {
    add('bad', `robot: ${robot.reason}`);
    return;
  }
  const { estop, connected, source, battery, arm, degraded, health } = robot;
  if (estop?.engaged)
    add('bad', `emergency stop, engaged by ${estop.by || estop.source}${because(estop.reason)}`);
  if (!connected && !isArmAlone(robot)) add('bad', `robot is not connected${because(source.reason)}`);
  if (arm && !arm.connected) add('warn', 'arm is not connected');
  if (battery !== undefined && battery < BATTERY_LOW) add('warn', `battery ${(100 * battery).toFixed(0)} %`);
  for (const reason of degraded) add('warn', `degraded: ${reason}`);
  for (const { name, level } of health.diagnostics) if (level !== 'ok') add('warn', `${name}: ${level}`);
}

function ofRuns(runs: Status['runs'], add: Add): void {
  if (!runs.available) {
    add('bad', `runs: ${runs.reason}`);
    return;
  }
  for (const [app, reason] of Object.entries(runs.refused ?? {}))
    add('warn', `application ${app} takes no intents: ${reason}`);
  for (const { reason } of runs.load?.paused ?? []) add('warn', `a run is paused${because(reason)}`);
  for (const { reason } of runs.load?.unwritten ?? [])
    add('bad', `the log takes no events of a run${because(reason)}`);
}

const because = (reason: string) => (reason === '' ? '' : `: ${reason}`);
