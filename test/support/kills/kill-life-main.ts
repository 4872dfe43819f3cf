import { flushCompileCache } from 'node:module';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { openEventLog } from '../../../adapters/event-log/index.ts';
import { PiHarness } from '../../../adapters/pi/index.ts';
import { loadPi } from '../../../adapters/pi/pi-library.ts';
import {
  type AgentEvent,
  type CellBus,
  type CellContext,
  type EventLog,
  IdSource,
  isFinished,
  type LanguageModel,
  type NewEvent,
  type PolicyContext,
} from '../../../contract/index.ts';
import type { ModelsOfRun } from '../../../daemon/runtime/attempt/active-run.ts';
import { RuntimeCell } from '../../../daemon/runtime/runtime-cell.ts';
import { OperatorRole } from '../../fakes/operator-role.ts';
import { ScriptedModel } from '../../fakes/scripted-model.ts';
import { clerk, clerksLine, errand } from './kill-apps.ts';
import type { FromLife, Mission, Order, Point, ToLife } from './kill-words.ts';

/** One life of a runtime cell, with its real log on disk, until it is killed. The world is its parent. */
const PERSON: PolicyContext = { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'cli' };
const clock = new SystemClock();
const ids = new IdSource(
  () => Date.now(),
  (length) => crypto.getRandomValues(new Uint8Array(length)),
);
const waiting = new Map<number, (answer: unknown) => void>();
let point: Point = { at: 'time' };
let appends = 0;
let orders = 0;

function say(message: FromLife, then: () => void = () => {}): void {
  process.send?.(message, then);
}
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Orders something of the world; at the point of this life it ends here. */
async function order(what: Order): Promise<unknown> {
  const id = ++orders;
  const dies = point.at === 'effect' && point.n === id ? point.when : undefined;
  const answered = new Promise((resolve) => waiting.set(id, resolve));
  say({ t: 'order', id, order: what }, () => {
    if (dies === 'sent') die();
  });
  const answer = await answered;
  if (dies === 'answered') die();
  return answer;
}

/** The log of this life, which ends at its point. */
function mortal(log: EventLog): EventLog {
  return {
    async append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
      const dies = point.at === 'append' && point.n === ++appends ? point.when : undefined;
      if (dies === 'before') die();
      const appended = log.append(events);
      // The log hands it to its thread in the next turn; how far that comes is for the kernel to say.
      if (dies === 'during') setImmediate(() => setImmediate(die));
      const durable = await appended;
      if (dies === 'after') die();
      for (const { kind, run_id } of durable)
        if (kind === 'run.finished' && run_id) say({ t: 'over', runId: run_id });
      return durable;
    },
    reader: () => log.reader(),
    verify: () => log.verify(),
    close: () => log.close(),
  };
}

const bus: CellBus = {
  request: async <T>(_to: unknown, method: string, body: unknown) =>
    (await order({ op: 'robot', method, body })) as T,
  handle: () => {},
  broadcast: () => {},
  onBroadcast: () => {},
};

/** What agents are told of their calls, each once in this life. */
const told = new Set<string>();
const models: ModelsOfRun = ({ runId, emit }): LanguageModel => {
  const model = new ScriptedModel(async (request) => {
    for (const { role, callId, text } of request.messages) {
      if (role !== 'tool' || callId === undefined || told.has(`${runId} ${callId}`)) continue;
      told.add(`${runId} ${callId}`);
      say({ t: 'told', runId, callId, text });
    }
    // What the router of models writes down of each call is written down here too.
    const call_id = ids.next<string>();
    const base = {
      model: 'scripted',
      purpose: request.purpose,
      prompt_sha256: '0'.repeat(64),
      parameters: {},
    };
    await emit([{ kind: 'model.called', run_id: runId, payload: { call_id, ...base } }]);
    await new Promise((resolve) => setTimeout(resolve, 3));
    const counts = { ok: true, tokens_in: 1, tokens_out: 1, duration_ms: 3 };
    await emit([{ kind: 'model.returned', run_id: runId, payload: { call_id, ...counts } }]);
    return clerksLine(request);
  });
  return model;
};

async function live(dataDir: string, missions: readonly Mission[]): Promise<RuntimeCell> {
  const log = mortal(await openEventLog(dataDir, 'runtime', clock));
  const context: CellContext = {
    ...{ name: 'runtime', clock, log, bus, dataDir, attempt: 0, startReason: 'kills' },
    report: (_level, message, facts) => say({ t: 'fault', message: `${message} ${JSON.stringify(facts)}` }),
    emit: async (events) => {
      await log.append(events);
    },
  };
  const cell = new RuntimeCell(context, {
    robot: 'robot',
    apps: [errand(), clerk(order)],
    hooks: [new OperatorRole()],
    ids,
    models,
    recording: 'continuous',
    harnesses: { pi: (app) => new PiHarness(app) },
  });
  await cell.start();
  say({ t: 'up' });
  for (const mission of missions) ask(cell, mission);
  stop = async () => {
    await cell.stop();
    await log.close();
    process.disconnect();
  };
  return cell;
}

let stop: () => Promise<void> = async () => {};

/** Asked again after a kill it is the same run, by its key. */
function ask(cell: RuntimeCell, { n, type }: Mission): void {
  cell.submit({ type, params: { n }, idempotency_key: `mission-${n}` }, PERSON).then(
    ({ run }) => {
      say({ t: 'accepted', n, runId: run.run_id });
      if (isFinished(run.status)) say({ t: 'over', runId: run.run_id });
    },
    (thrown: Error) => say({ t: 'fault', message: `mission ${n}: ${thrown.message}` }),
  );
}

let cell: Promise<RuntimeCell> | undefined;
process.on('message', (message: ToLife) => {
  if (message.t === 'answer') {
    waiting.get(message.id)?.(message.answer);
    waiting.delete(message.id);
  } else if (message.t === 'ask') void cell?.then((one) => ask(one, message.mission));
  else if (message.t === 'stop') void cell?.then(() => stop());
  else {
    point = message.point;
    cell = live(message.dataDir, message.missions);
    cell.catch((thrown: Error) => say({ t: 'fault', message: `start: ${thrown.stack ?? thrown.message}` }));
  }
});
if (process.argv[2] !== 'flows') await loadPi();
// Compiled code is kept when a process ends, and these are killed: keep it now.
flushCompileCache();
say({ t: 'loaded' });
