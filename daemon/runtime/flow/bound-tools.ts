import type {
  ClipOrder,
  ClipReceipt,
  ControllerRun,
  ControllerRunResult,
  RunTools,
} from '../../../contract/index.ts';

/** Tools whose calls by name end with the signal of one state, as motions do: what outlived it would act beside the next. */
export class BoundTools implements RunTools {
  readonly recording: RunTools['recording'];
  readonly #tools: RunTools;
  readonly #signal: AbortSignal;

  constructor(tools: RunTools, signal: AbortSignal) {
    this.#tools = tools;
    this.#signal = signal;
    this.recording = tools.recording;
  }

  clipRecording(order: ClipOrder): Promise<ClipReceipt> {
    return this.#tools.clipRecording(order);
  }

  runController(order: ControllerRun): Promise<ControllerRunResult> {
    return this.#tools.runController(order);
  }

  call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const ends = signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
    return this.#tools.call(tool, args, ends);
  }
}
