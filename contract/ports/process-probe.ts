/** What the kernel has counted of the main thread of a process. Totals; only the difference of two says something. */
export type ProcessTimes = {
  /** On a processor, milliseconds. */
  readonly cpuMs: number;
  /** Completed waits for a processor, milliseconds; undefined where the kernel does not count them. */
  readonly waitedMs: number | undefined;
  /** Time in which some task of this host waited for a processor, milliseconds; undefined where it is not counted. */
  readonly pressureMs: number | undefined;
  /** Read from files by all threads of the process, bytes; undefined where it is not counted. */
  readonly readBytes: number | undefined;
};

/** What the kernel recorded of the main thread of a process up to one moment. A cell's event loop runs in that thread. */
export type ProcessAccount = ProcessTimes & {
  /**
   * `runnable`: it runs, or waits for a processor. `sleeping`: it waits for an event, such as a timer or a lock.
   * `disk`: the kernel works for it and no signal reaches it. `stopped`: by a signal or a debugger. `dead`: it ended.
   */
  readonly state: 'runnable' | 'sleeping' | 'disk' | 'stopped' | 'dead';
  /** Whether another thread of the process runs or waits for a processor: the main thread may be waiting for it. */
  readonly helpersRunnable: boolean;
  /** Whether another thread of the process is in the state `disk`: no signal ends the process before it is out of it. */
  readonly helpersOnDisk: boolean;
};

/** Reads what the kernel records of a process. Takes microseconds and never throws. */
export interface ProcessProbe {
  /** Undefined where the process is gone, or where this host does not say. */
  look(pid: number): ProcessAccount | undefined;
  /**
   * One file instead of many, for a process that is not under suspicion: `cpuMs` and `waitedMs`. Undefined where the
   * kernel does not count waits.
   */
  times(pid: number): ProcessTimes | undefined;
}
