import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { IdSource } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { ChatCore } from './core.ts';
import { type Face, jsonFace, linesFace } from './faces.ts';
import { ChatLink } from './link.ts';
import { RpcLines, rpcAsked, rpcEvent, rpcResponse } from './rpc.ts';
import type { Input, SessionBox, Shown } from './shown.ts';

/** How long leaving waits for a stop that is being sent, milliseconds. */
const LEAVE_MS = 5_000;
/** After the end of the input: how long nothing may be left to answer, milliseconds. */
const IDLE_MS = 1_000;
/** Things of the past that a person sees who comes back. */
const PAST_MAX = 60;

export type TalkOptions = {
  readonly face: 'terminal' | 'lines' | 'json' | 'rpc';
  readonly opening: { readonly type?: string; readonly params?: Readonly<Record<string, unknown>> };
  /** A session that is there already. */
  readonly session?: SessionBox;
  /** First words. */
  readonly words?: string;
};

/** Talks until the person leaves, the input is over and answered, or the session has ended. Resolves with the exit code. */
export async function talk(api: ApiClient, options: TalkOptions): Promise<number> {
  const ids = new IdSource(() => Date.now(), randomBytes);
  const core = new ChatCore(() => ids.next());
  const input = (what: Input) => take(what);
  let done: (code: number) => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const over = new Promise<number>((resolve, reject) => {
    done = resolve;
    failed = reject;
  });
  const link = new ChatLink({ api, opening: options.opening, input, fatal: (error) => failed(error) });
  const face = await faceOf(options, core, input);
  let past: Shown[] | undefined = options.session && options.face !== 'json' ? [] : undefined;
  let left = false;
  let ended: number | undefined;

  function take(what: Input): readonly Shown[] {
    const { shown, orders } = core.take(what);
    for (const one of shown) {
      if (past) past.push(one);
      else face.show(one);
      if (one.kind === 'ended') ended = one.status === 'succeeded' ? 0 : 1;
    }
    for (const order of orders) {
      if (order.do === 'leave') leave();
      else link.carryOut(order);
    }
    if (what.kind === 'caught_up') {
      if (past) showPast(face, past);
      past = undefined;
      if (ended !== undefined) done(ended);
    }
    // A refused opening leaves nothing to talk to; a person at the terminal may try again.
    if (
      what.kind === 'settled' &&
      what.result.as !== 'done' &&
      core.session === undefined &&
      options.face !== 'terminal'
    )
      done(1);
    if (ended !== undefined && past === undefined) done(ended);
    return shown;
  }

  function answered(line: string): void {
    const asked = rpcAsked(line);
    const shown = 'said' in asked ? take({ kind: 'asked', said: asked.said }) : [];
    const { session } = core;
    const state = { ...core.status, ...(session === undefined ? {} : { session_id: session }) };
    process.stdout.write(`${rpcResponse(asked, shown, state)}\n`);
  }

  /** A stop on its way arrives first; a second wish to leave does not wait for it. */
  function leave(): void {
    if (left) {
      done(130);
      return;
    }
    left = true;
    void link.settled(LEAVE_MS).then(() => done(ended ?? 0));
  }

  const idle = () => void whenIdle(core, leave);
  const lines =
    options.face === 'terminal'
      ? undefined
      : options.face === 'rpc'
        ? readRpc(answered, idle)
        : readLines((text) => void take({ kind: 'line', text }), idle);
  const interrupt = () => take({ kind: 'interrupt' });
  process.on('SIGINT', interrupt);
  try {
    if (options.session) {
      const { session_id, details } = options.session;
      const words = details.intent.params['words'];
      take({ kind: 'opened', session_id, ...(typeof words === 'string' ? { words } : {}) });
      take({ kind: 'session', box: options.session });
      link.attach(session_id);
    } else if (options.opening.params) take({ kind: 'start' });
    if (options.words !== undefined) take({ kind: 'line', text: options.words.replace(/^\//, '//') });
    else if (!options.session && options.face === 'terminal')
      face.show({ kind: 'note', text: 'say something; /help lists the commands' });
    return await over;
  } finally {
    process.off('SIGINT', interrupt);
    lines?.close();
    process.stdin.pause();
    link.close();
    face.close();
    if (core.session !== undefined && core.status.state !== 'ended' && !isForPrograms(options))
      process.stderr.write(`the session stays; come back with: auraison chat --session ${core.session}\n`);
  }
}

const isForPrograms = ({ face }: TalkOptions) => face === 'json' || face === 'rpc';

async function faceOf({ face }: TalkOptions, core: ChatCore, input: (what: Input) => void): Promise<Face> {
  const write = (text: string) => void process.stdout.write(text);
  if (face === 'json') return jsonFace(write);
  if (face === 'rpc') return { show: (shown) => write(`${rpcEvent(shown)}\n`), close: () => {} };
  if (face === 'lines') return linesFace(write, core, process.stdin.isTTY !== true);
  // Loaded only where it is used: the help must be there at once.
  const { tuiFace } = await import('./tui-face.ts');
  return tuiFace(core, {
    line: (text) => input({ kind: 'line', text }),
    interrupt: () => input({ kind: 'interrupt' }),
  });
}

function readRpc(line: (text: string) => void, end: () => void): { close(): void } {
  const lines = new RpcLines();
  const { stdin } = process;
  const take = (chunk: string) => {
    for (const text of lines.take(chunk)) line(text);
  };
  stdin.setEncoding('utf8').on('data', take).once('end', end);
  return { close: () => void stdin.off('data', take).off('end', end) };
}

function readLines(line: (text: string) => void, end: () => void): { close(): void } {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', line);
  lines.once('close', end);
  return {
    close() {
      lines.off('close', end);
      lines.close();
    },
  };
}

function showPast(face: Face, past: readonly Shown[]): void {
  const lasting = past.filter(({ kind }) => kind !== 'token' && kind !== 'status');
  const earlier = lasting.length - PAST_MAX;
  if (earlier > 0)
    face.show({ kind: 'note', text: `(${earlier} earlier things: auraison events --run has them)` });
  const status = past.findLast(({ kind }) => kind === 'status');
  for (const shown of [...lasting.slice(-PAST_MAX), ...(status ? [status] : [])]) face.show(shown);
}

async function whenIdle(core: ChatCore, leave: () => void): Promise<void> {
  let idle = 0;
  while (idle < IDLE_MS) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    idle = core.idle ? idle + 100 : 0;
  }
  leave();
}
