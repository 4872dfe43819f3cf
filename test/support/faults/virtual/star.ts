import { type CellName, EdgeError } from '../../../../contract/index.ts';
import { MessageBus } from '../../../../daemon/cell/message-bus.ts';
import type { FromCell, Request, Response } from '../../../../daemon/cell/wire.ts';
import type { VirtualProcess } from './process.ts';

type Cell = { readonly process: VirtualProcess; readonly bus: MessageBus };

/** The messages between cells through the supervisor, which is a process too: frozen, it passes nothing on. */
export class VirtualStar {
  readonly supervisor: VirtualProcess;
  readonly #cells = new Map<CellName, Cell>();

  constructor(supervisor: VirtualProcess) {
    this.supervisor = supervisor;
  }

  /** A cell, or its next life. */
  join(name: CellName, process: VirtualProcess): MessageBus {
    const send = (message: FromCell) => {
      // What a frozen process was about to send is sent when it wakes up.
      if (process.isFrozen) process.deliver(() => send(message));
      else if (!process.isDead) this.supervisor.deliver(() => this.#route(name, message));
    };
    const bus = new MessageBus(name, process, send);
    this.#cells.set(name, { process, bus });
    return bus;
  }

  /** What the supervisor itself says to all. */
  tell(topic: string, body: unknown): void {
    this.supervisor.deliver(() =>
      this.#broadcast(undefined, { t: 'broadcast', from: 'supervisor', topic, body }),
    );
  }

  #route(from: CellName, message: FromCell): void {
    if (message.t === 'request' || message.t === 'response') this.#pass(message);
    else if (message.t === 'broadcast') this.#broadcast(from, message);
  }

  #pass(message: Request | Response): void {
    const cell = this.#cells.get(message.to);
    if (cell && !cell.process.isDead) {
      const copy = structuredClone(message);
      cell.process.deliver(() => void cell.bus.receive(copy));
      return;
    }
    if (message.t !== 'request') return;
    const { id, from, to, method } = message;
    const body = new EdgeError('cell.restarted', { operation: method, subject: to }).toBody();
    this.#pass({ t: 'response', id, to: from, ok: false, body });
  }

  #broadcast(from: CellName | undefined, message: Parameters<MessageBus['receive']>[0]): void {
    for (const [name, { process, bus }] of this.#cells)
      if (name !== from) process.deliver(() => void bus.receive(structuredClone(message)));
  }
}
