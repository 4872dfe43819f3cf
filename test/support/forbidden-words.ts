import { expect } from 'vitest';
import { openRobot } from '../../cli/sdk/index.ts';
import type { AskPlan, Submitted } from '../../contract/index.ts';
import { auraisonAsync, until } from './daemon.ts';
import type { ForbiddenRobot } from './forbidden-robot.ts';
import type { Way } from './ways-to-move.ts';

/** Ways in for people who use their own words. */
export const WORDED = [
  'HTTP: ask',
  'command line: ask',
  'HTTP: session',
  'command line: chat',
  'program: session of the SDK',
] as const satisfies readonly Way[];

type Call = { readonly name: string; readonly args: object };

/** What the model calls once it has the tools of the way: those of the maze in a run, those of the robot in a session. */
export function toolFor(way: (typeof WORDED)[number]): Call {
  return way === 'HTTP: session' || way === 'command line: chat' || way === 'program: session of the SDK'
    ? { name: 'robot_maneuver', args: { kind: 'drive', distance_m: 0.3 } }
    : { name: 'maze_explore_frontier', args: {} };
}

/** What a model calls: the intent where it is asked for one, else `call`; undefined where it has no tools. */
export function chosenOf(tools: unknown, call: Call): Call | undefined {
  if (tools === undefined) return undefined;
  return JSON.stringify(tools).includes('none_fits') ? { name: 'maze__find_exit', args: {} } : call;
}

const WORDS = 'find the way out';
type Session = { readonly session_id: string; readonly state: string };

/** The id of the run that the words open. */
export async function inWords(robot: ForbiddenRobot, way: (typeof WORDED)[number]): Promise<string> {
  const { api, dataDir } = robot.daemon;
  if (way === 'HTTP: ask') {
    const plan = await api.post<AskPlan>('/v1/ask', { words: WORDS });
    expect(plan).toMatchObject({ intent: { type: 'maze/find_exit' } });
    return (await api.post<Submitted>(`/v1/ask/${plan.ask_id}/confirm`, {})).run.run_id;
  }
  if (way === 'command line: ask') {
    const done = await auraisonAsync(['ask', WORDS, '--yes', '--data-dir', dataDir]);
    expect([done.status, done.stderr]).toEqual([1, expect.stringContaining('maze/find_exit')]);
    return robot.newestRun('api');
  }
  const open = way === 'HTTP: session' ? opened : way === 'command line: chat' ? chatted : embedded;
  const session_id = await open(robot);
  const at = `/v1/sessions/${session_id}`;
  await until(async () => (await api.get<Session>(at)).state === 'waiting', 'it waits', 120_000);
  // A session that is closed has succeeded, and here nothing may.
  await api.post(`/v1/runs/${session_id}/cancel`, { reason: 'the test is over' });
  return session_id;
}

async function opened({ daemon: { api } }: ForbiddenRobot): Promise<string> {
  return (await api.post<Session>('/v1/sessions', { text: 'a bit forward' })).session_id;
}

async function embedded({ daemon: { dataDir } }: ForbiddenRobot): Promise<string> {
  const robot = await openRobot({ dataDir });
  const session = await robot.session();
  await session.prompt('a bit forward');
  await robot.close();
  return session.id!;
}

/** Without input it leaves once its words are answered. */
async function chatted(robot: ForbiddenRobot): Promise<string> {
  const done = await auraisonAsync(['chat', '--say', 'a bit forward', '--data-dir', robot.daemon.dataDir]);
  expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('session ')]);
  return robot.newestRun('api');
}
