export type EngineState = 'waiting' | 'starting' | 'ready' | 'sleeping' | 'failed' | 'stopped';

/** The model server that this daemon runs, as people look at it. */
export type EngineView = {
  /** Name of the model in `[[models]]` that it serves. */
  readonly engine: string;
  /** `waiting`: for memory; `failed`: it will not be started again before somebody fixed what the reason says. */
  readonly state: EngineState;
  readonly reason: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Revision of the model, as it was checked; empty where none is pinned. */
  readonly revision: string;
  /** Running calls of this daemon, and calls that wait until it is awake. */
  readonly running: number;
  readonly waiting: number;
  readonly memory: {
    readonly kind: 'gpu' | 'host' | 'unknown';
    readonly freeBytes: number | undefined;
    readonly floorBytes: number;
  };
  /** The last lines of its output. */
  readonly log: readonly string[];
};

/** The engine for the API and the command line. Each order settles by a deadline of its own. */
export interface EngineApi {
  engine(): EngineView;
  /**
   * Finishes the running calls first, or rejects with `cell.overloaded` where that takes too long;
   * `model.unavailable`.
   */
  sleep(): Promise<EngineView>;
  wake(): Promise<EngineView>;
  /** Stops it and starts it again; also one that failed. */
  restart(reason: string): Promise<EngineView>;
}
