import type {
  Clock,
  LanguageModel,
  ModelAnswer,
  ModelHealth,
  ModelInfo,
  ModelOptions,
  ModelRequest,
} from '../../../contract/core.ts';
import type { SupervisedEngine } from './supervised-engine.ts';

/**
 * The model of a supervised engine: a call passes its gate first. One that sleeps is woken by it; one that is away
 * refuses it at once, so that the next model is asked.
 */
export class EngineModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly #model: LanguageModel;
  readonly #engine: SupervisedEngine;
  readonly #clock: Clock;

  constructor(model: LanguageModel, engine: SupervisedEngine, clock: Clock) {
    this.info = model.info;
    this.#model = model;
    this.#engine = engine;
    this.#clock = clock;
  }

  async complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    const began = this.#clock.monotonicMs();
    const leave = await this.#engine.enter(request.deadlineMs, options.signal);
    try {
      const leftMs = request.deadlineMs - (this.#clock.monotonicMs() - began);
      return await this.#model.complete({ ...request, deadlineMs: Math.max(1, leftMs) }, options);
    } finally {
      leave();
    }
  }

  async health(): Promise<ModelHealth> {
    const { state, reason, gate } = this.#engine;
    if (state === 'ready') return await this.#model.health();
    // Not asked: some requests to a sleeping engine hang. The next call wakes it, so it counts as available.
    if (state === 'sleeping') return { ok: true, reason: 'it sleeps', queueDepth: gate.waiting };
    return { ok: false, reason: `engine ${state}${reason === '' ? '' : `: ${reason}`}`, queueDepth: 0 };
  }

  async wake(): Promise<void> {
    await this.#engine.wake();
  }

  close(): Promise<void> {
    return this.#model.close();
  }
}
