/** Arguments of `clip_recording`: seconds before now and after now, as the recorder sees time. */
export type ClipOrder = {
  /** Last part of the name of the bag: letters, digits, `.`, `_`, `-`, at most 48. */
  readonly name?: string;
  /** 0 to 3600. */
  readonly pre_s: number;
  /** 0 to 600: the call returns when they are over. */
  readonly post_s: number;
};
export type ClipReceipt = {
  readonly bag: string;
  /** Relative to the data directory. */
  readonly path: string;
  readonly sha256: string;
  readonly messages: number;
};

/** Arguments of `controller.run`: a controller of the configuration, and when it is done. */
export type ControllerRun = {
  readonly controller: string;
  /** The task in words, for policies that take one. */
  readonly task?: string;
  /** At most this long, robot time; 0.1 to 600. */
  readonly seconds: number;
  /** A std_msgs/Bool of the robot: when it is true, the controller is stopped. */
  readonly until?: string;
  /** The step of a plan that it serves, for the record. */
  readonly plan_step?: string;
};
export type ControllerRunResult = {
  /** `stopped`: something else ended it, see `reason`. */
  readonly outcome: 'succeeded' | 'time_over' | 'stopped';
  readonly reason: string;
  readonly steps: number;
  readonly starved: number;
  readonly policy_sha256: string;
  /** Wall time it took. */
  readonly seconds: number;
};

/** Tools of a run besides its robot. Each call is judged by the policy hooks, bounded, and in the log. */
export interface RunTools {
  /** How this robot records: a `ring` keeps only clips for long; `off` and `episode` have none. */
  readonly recording: 'off' | 'continuous' | 'ring' | 'episode';
  /**
   * The tool `clip_recording`: keeps what is recorded around now as a bag of its own, and returns when that is
   * durable. An interrupted call is repeated under its id and is the same clip. Rejects with an EdgeError:
   * `schema.invalid`, `policy.denied`, `recorder.failed`, `cell.overloaded`, and those of an unreachable cell.
   */
  clipRecording(order: ClipOrder): Promise<ClipReceipt>;
  /**
   * The tool `controller.run`: a learned policy acts, and the robot stands before this settles. An interrupted
   * call is not repeated. Rejects as `controller.start` does, and with `policy.denied`, `run.cancelled`,
   * `robot.not_supported` (no such controller) and those of an unreachable cell.
   */
  runController(order: ControllerRun): Promise<ControllerRunResult>;
  /**
   * Any tool that the flow names (`FlowDefinition.tools`), as an agent would call it, for example `arm.move` or
   * `run.spawn`; its result. Arguments are checked strictly. It ends with `signal`, and with the state that asked for
   * it. Rejects as `ToolBox.call`.
   */
  call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>>;
  /** What a tool of the run does, as its description says; undefined: it is unknown. */
  effectOf?(tool: string): 'read' | 'write' | 'actuate' | undefined;
}
