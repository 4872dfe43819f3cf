import { EdgeError, LIMITS } from '../../contract/core.ts';
import { callOwnService, OWN_SERVICES } from '../../io/attached/own-services.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import { objectOf } from './client-channels.ts';
import { type BinaryMessage, serviceResponse } from './frames.ts';
import type { ServiceBook } from './service-book.ts';

export type ServiceDeskParts = {
  readonly services: ServiceBook;
  readonly door: Door | undefined;
  send(message: Uint8Array | string): void;
};

const encoder = new TextEncoder();

/** Calls of one client. Every call is answered once: by a response, or by a failure with its reason. */
export class ServiceDesk {
  readonly #parts: ServiceDeskParts;
  #calls = 0;

  constructor(parts: ServiceDeskParts) {
    this.#parts = parts;
  }

  async call(message: Extract<BinaryMessage, { op: 'call' }>): Promise<void> {
    const { serviceId, callId, encoding, payload } = message;
    const { services, door, send } = this.#parts;
    const service = services.get(serviceId);
    this.#calls += 1;
    try {
      if (!door) throw refused('this client may only look: connect with a token to call services');
      if (!service) throw refused(`service ${serviceId} is not offered`);
      const { name, type } = service;
      const reply = (answer: object) =>
        send(serviceResponse(serviceId, callId, 'json', encoder.encode(JSON.stringify(answer))));
      // A stop waits for no other call, and no body refuses it.
      if (name === OWN_SERVICES.stop) return reply((await callOwnService(name, door))!);
      if (encoding !== 'json') throw refused(`expected the encoding json, found ${encoding.slice(0, 40)}`);
      if (this.#calls > LIMITS.ATTACH_CALLS_MAX) throw refused('too many calls at a time');
      const request = objectOf(payload);
      reply(
        (await callOwnService(name, door)) ?? (await door.call(name, type, request, LIMITS.ATTACH_CALL_MS)),
      );
    } catch (thrown) {
      const { message: words, hint } = EdgeError.from(thrown, 'schema.invalid', 'call', service?.name ?? '');
      const text = hint === '' ? words : `${words}; ${hint}`;
      send(JSON.stringify({ op: 'serviceCallFailure', serviceId, callId, message: text }));
    } finally {
      this.#calls -= 1;
    }
  }
}

function refused(message: string): EdgeError {
  return new EdgeError('command.refused', { operation: 'call', subject: 'service', message });
}
