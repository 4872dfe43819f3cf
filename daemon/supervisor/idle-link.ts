import { EdgeError, type LinkStatus, METHODS } from '../../contract/core.ts';
import type { FromCell, Request, ToCell } from '../cell/wire.ts';
import type { Config } from '../config.ts';
import type { CarrierEvents, CellCarrier } from './cell-process.ts';

/** Whether there is nothing that a link cell could do: nothing goes to a central, and no token has to be checked. */
export function isLinkIdle({ link }: Config): boolean {
  return link.central_url === '' && link.token_file === '';
}

const OFF: LinkStatus = { ready: true, state: 'off', reason: 'no central is configured', lanes: {} };

/**
 * The link cell of a robot without a central: no process, no log, no timer. It answers what is asked of a link from
 * where it stands, and starts as a process when the configuration names a central and is reloaded.
 */
export function idleLink(events: CarrierEvents): CellCarrier {
  const send = (message: FromCell) => queueMicrotask(() => events.onMessage(message));
  send({ t: 'booted' });
  const end = (reason: string) => queueMicrotask(() => events.onExit(reason));
  let isOver = false;
  return {
    pid: undefined,
    isIdle: true,
    post(message: ToCell) {
      if (message.t === 'start') send({ t: 'started' });
      else if (message.t === 'request') send(answerOf(message));
      else if (message.t === 'stop' && !isOver) {
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

function answerOf({ id, from: to, method }: Request): FromCell {
  const reply = { t: 'response', id, to } as const;
  if (method === METHODS.link.status) return { ...reply, ok: true, body: OFF };
  if (method === METHODS.link.sync) return { ...reply, ok: true, body: { ...OFF, behind: 0 } };
  const error = new EdgeError('cell.unavailable', {
    ...{ operation: method, subject: 'link', message: 'no central is configured: there is no link' },
    hint: 'set link.central_url and reload the configuration',
  });
  return { ...reply, ok: false, body: error.toBody() };
}
