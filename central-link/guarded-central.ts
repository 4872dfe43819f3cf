import type { Central, ObjectCentral } from '../contract/core.ts';
import type { EgressGuard } from './egress-guard.ts';

/**
 * Central behind the policies on data that leaves the robot: asked before each batch. A denied batch stays in its lane,
 * in order, and is tried again later; nothing is lost and nothing is skipped.
 */
export class GuardedCentral implements Central {
  readonly #central: Central;
  readonly #guard: EgressGuard;

  constructor(central: Central, guard: EgressGuard) {
    this.#central = central;
    this.#guard = guard;
  }

  async push(batch: Parameters<Central['push']>[0]): ReturnType<Central['push']> {
    const kinds = [...new Set(batch.events.map(({ kind }) => kind))].sort();
    await this.#guard.require(batch.lane, 'events', { events: batch.events.length, kinds });
    return await this.#central.push(batch);
  }

  watermark(...where: Parameters<Central['watermark']>): ReturnType<Central['watermark']> {
    return this.#central.watermark(...where);
  }

  close(): Promise<void> {
    return this.#central.close();
  }
}

/** The same for files: asked before each request that names one or carries its bytes. */
export class GuardedObjects implements ObjectCentral {
  readonly #central: ObjectCentral;
  readonly #guard: EgressGuard;

  constructor(central: ObjectCentral, guard: EgressGuard) {
    this.#central = central;
    this.#guard = guard;
  }

  partBytesMax(): Promise<number | undefined> {
    return this.#central.partBytesMax();
  }

  custody(...where: Parameters<ObjectCentral['custody']>): ReturnType<ObjectCentral['custody']> {
    return this.#central.custody(...where);
  }

  async offer(...[object]: Parameters<ObjectCentral['offer']>): ReturnType<ObjectCentral['offer']> {
    await this.#guard.require(object.lane, 'files', { name: object.name, bytes: object.bytes });
    return await this.#central.offer(object);
  }

  async tree(...[object, leaves]: Parameters<ObjectCentral['tree']>): ReturnType<ObjectCentral['tree']> {
    await this.#guard.require(object.lane, 'files', { name: object.name, bytes: object.bytes });
    return await this.#central.tree(object, leaves);
  }

  async put(...[object, offset, bytes]: Parameters<ObjectCentral['put']>): ReturnType<ObjectCentral['put']> {
    await this.#guard.require(object.lane, 'files', { name: object.name, bytes: object.bytes });
    return await this.#central.put(object, offset, bytes);
  }

  close(): Promise<void> {
    return this.#central.close();
  }
}
