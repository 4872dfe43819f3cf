import { EdgeError, type LinkStatus, METHODS } from '../../contract/core.ts';
import type { FromCell, Request, ToCell } from '../cell/wire.ts';
import type { Config } from '../config.ts';
import type { CarrierEvents, CellCarrier } from './cell-process.ts';

/**
 * Whether there is nothing that a link cell could do: nothing goes to a central, over the network or on a disk, no receipt comes
 * back, and no token has to be checked. `hasKey`: this robot has a key of its own, by which a disk is its.
 */
export function isLinkIdle({ link }: Config, hasKey: boolean): boolean {
  const { central_url, mqtt_url, token_file, key_file } = link;
  return !hasKey && [central_url, mqtt_url, token_file, key_file].every((key) => key === '');
}

type IdleLinkParts = {
  readonly events: CarrierEvents;
  /** This robot may have been enrolled since. */
  isIdle(): boolean;
  /** Has a process take its place. */
  end(): void;
};

const OFF: LinkStatus = { ready: true, state: 'off', reason: 'no central is configured', lanes: {} };

/**
 * The link cell of a robot without a central: no process, no log, no timer. It answers what is asked of a link from
 * where it stands. It becomes a process when the configuration names a central and is reloaded, and when a disk is asked for on
 * a robot that was enrolled meanwhile.
 */
export function idleLink({ events, isIdle, end: becomeProcess }: IdleLinkParts): CellCarrier {
  const send = (message: FromCell) => queueMicrotask(() => events.onMessage(message));
  send({ t: 'booted' });
  const end = (reason: string) => queueMicrotask(() => events.onExit(reason));
  let isOver = false;
  return {
    pid: undefined,
    isIdle: true,
    post(message: ToCell) {
      if (message.t === 'start') send({ t: 'started' });
      else if (message.t === 'request') {
        const isWanted = isForDisk(message.method) && !isIdle();
        send(answerOf(message, isWanted));
        if (isWanted && !isOver) becomeProcess();
      } else if (message.t === 'stop' && !isOver) {
        isOver = true;
        send({ t: 'stopped' });
        end('stopped');
      }
    },
    kill() {
      if (!isOver) end('killed');
      isOver = true;
    },
  };
}

function isForDisk(method: string): boolean {
  const { diskOpen, diskNext, diskPiece, diskSign, diskReceipts } = METHODS.link;
  return [diskOpen, diskNext, diskPiece, diskSign, diskReceipts].some((name) => name === method);
}

function answerOf({ id, from: to, method }: Request, isWanted: boolean): FromCell {
  const reply = { t: 'response', id, to } as const;
  if (method === METHODS.link.status) return { ...reply, ok: true, body: OFF };
  if (method === METHODS.link.sync) return { ...reply, ok: true, body: { ...OFF, behind: 0 } };
  const about = { operation: method, subject: 'link' };
  if (isWanted) {
    const message = 'this robot has a key of its own since now: its link starts';
    const error = new EdgeError('cell.unavailable', { ...about, message, hint: 'ask again in a moment' });
    return { ...reply, ok: false, body: error.toBody() };
  }
  if (isForDisk(method)) {
    const message = 'this robot has no key of its own, and no key of central: no disk can be its';
    const hint =
      'auraison central enrol NAME at central, then auraison link enrol URL --token-file - here; or set link.cert_file, link.cert_key_file and link.key_file, and reload the configuration';
    return {
      ...{ ...reply, ok: false },
      body: new EdgeError('config.invalid', { ...about, message, hint }).toBody(),
    };
  }
  const error = new EdgeError('cell.unavailable', {
    ...{ ...about, message: 'no central is configured: there is no link' },
    hint: 'set link.central_url and reload the configuration',
  });
  return { ...reply, ok: false, body: error.toBody() };
}
