/** A run as the limits see it. */
export type SlotRun = {
  readonly runId: string;
  readonly app: string;
  /** Runs with the same key never run at the same time. */
  readonly key: string | undefined;
  /** Calls models: starts only when models and host have room. */
  readonly agent: boolean;
  /** The run that asked for it, the one that asked for that, and so on; empty: a person or a schedule did. */
  readonly ancestors: readonly string[];
  /** A part of a flow that runs beside others: the run that asked for it waits for it, so it waits for no slot. */
  readonly branch: boolean;
};

export type Obstacle = {
  readonly kind: 'held' | 'total' | 'app' | 'key' | 'reserved' | 'throttle' | 'pressure';
  /** For people: what the run waits for. */
  readonly text: string;
  /** Runs that stand in the way. */
  readonly holders: readonly string[];
};

type Active = SlotRun & { readonly carrier: string | undefined };

/**
 * Who holds which slot and which key. A run that another one asked for waits for nothing that its ancestors hold:
 * it runs in the slot of the nearest one of its own application, one at a time, shares their key, and does not
 * count against the limit of all runs. So parent and child never wait for each other.
 */
export class RunSlots {
  readonly #active = new Map<string, Active>();

  has(runId: string): boolean {
    return this.#active.has(runId);
  }

  /** Unconditional: what a restart interrupted takes its slot before anything new starts. */
  enter(run: SlotRun): void {
    this.#active.set(run.runId, { ...run, carrier: this.#carrier(run) });
  }

  leave(runId: string): void {
    this.#active.delete(runId);
  }

  /** Running agents that a person or a schedule asked for. */
  agents(): number {
    return [...this.#active.values()].filter((run) => run.agent && run.ancestors.length === 0).length;
  }

  obstacle(run: SlotRun, appMax: number, totalMax: number): Obstacle | undefined {
    if (run.branch) return undefined;
    return this.#totalFull(run, totalMax) ?? this.#appFull(run, appMax) ?? this.#keyTaken(run);
  }

  #totalFull(run: SlotRun, max: number): Obstacle | undefined {
    if (run.ancestors.length > 0) return undefined;
    const roots = [...this.#active.values()].filter((other) => other.ancestors.length === 0);
    if (roots.length < max) return undefined;
    const text = `${roots.length} runs are running, at most ${max} may`;
    return { kind: 'total', text, holders: roots.map(({ runId }) => runId) };
  }

  #appFull(run: SlotRun, max: number): Obstacle | undefined {
    if (this.#carrier(run) !== undefined) return undefined;
    const holders = [...this.#active.values()].filter(
      (other) => other.app === run.app && !this.#rides(other),
    );
    if (holders.length < max) return undefined;
    const text = `${holders.length} of at most ${max} runs of ${run.app} are running`;
    return { kind: 'app', text, holders: holders.map(({ runId }) => runId) };
  }

  #keyTaken(run: SlotRun): Obstacle | undefined {
    if (run.key === undefined) return undefined;
    const holders = [...this.#active.values()]
      .filter((other) => other.key === run.key && !run.ancestors.includes(other.runId))
      .map(({ runId }) => runId);
    if (holders.length === 0) return undefined;
    return { kind: 'key', text: `run ${holders[0]} holds the key ${run.key}`, holders };
  }

  /** The ancestor in whose slot it may run. */
  #carrier(run: SlotRun): string | undefined {
    if (run.branch) return undefined;
    return run.ancestors.find(
      (id) =>
        this.#active.get(id)?.app === run.app &&
        ![...this.#active.values()].some((other) => other.carrier === id),
    );
  }

  #rides(run: Active): boolean {
    return run.branch || (run.carrier !== undefined && this.#active.has(run.carrier));
  }
}
