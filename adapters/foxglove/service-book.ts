import type { GraphSnapshot } from '../../contract/core.ts';
import { OWN_SERVICES, TRIGGER } from '../../io/attached/own-services.ts';
import { NumberBook } from './number-book.ts';

export type Service = { readonly id: number; readonly name: string; readonly type: string };

/** The number of each service, for all clients: those of this server, and those in the ROS graph. */
export class ServiceBook {
  #services: ReadonlyMap<number, Service> = new Map();
  readonly #ids = new NumberBook((id) => this.#services.has(id));

  constructor() {
    this.#services = new Map(this.#own());
  }

  get(id: number): Service | undefined {
    return this.#services.get(id);
  }

  all(): readonly Service[] {
    return [...this.#services.values()];
  }

  /** Takes the graph; what came and what went. */
  update(graph: GraphSnapshot): { readonly added: readonly Service[]; readonly removed: readonly number[] } {
    const next = new Map(this.#own());
    for (const { name, types } of graph.services) {
      const [type] = types;
      if (type === undefined) continue;
      const service = { id: this.#idOf(name, type), name, type };
      next.set(service.id, service);
    }
    const added = [...next.values()].filter(({ id }) => !this.#services.has(id));
    const removed = [...this.#services.keys()].filter((id) => !next.has(id));
    this.#services = next;
    return { added, removed };
  }

  #own(): [number, Service][] {
    return Object.values(OWN_SERVICES).map((name) => {
      const id = this.#idOf(name, TRIGGER);
      return [id, { id, name, type: TRIGGER }];
    });
  }

  #idOf(name: string, type: string): number {
    return this.#ids.of(`${name}\n${type}`);
  }
}

const ANY_OBJECT = JSON.stringify({ type: 'object', properties: {} });
const ANSWER = { encoding: 'json', schemaEncoding: 'jsonschema', schema: ANY_OBJECT };

/** Its announcement to clients: requests and answers are JSON, so no definition of the service is needed to call it. */
export function advertisedService({ id, name, type }: Service): object {
  return {
    ...{ id, name, type },
    request: { ...ANSWER, schemaName: `${type}_Request` },
    response: { ...ANSWER, schemaName: `${type}_Response` },
  };
}
