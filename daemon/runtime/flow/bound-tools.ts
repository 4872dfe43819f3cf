import type {
  ClipOrder,
  ClipReceipt,
  ControllerRun,
  ControllerRunResult,
  RunTools,
} from '../../../contract/index.ts';

/**
 * Tools whose calls by name end with the signal of one state, as motions do: what outlived it would act beside the next.
 * `note` gets each result.
 */
export class BoundTools implements RunTools {
  readonly recording: RunTools['recording'];
  readonly #tools: RunTools;
  readonly #signal: AbortSignal;
  readonly #note: (result: Readonly<Record<string, unknown>>) => void;

  constructor(
    tools: RunTools,
    signal: AbortSignal,
    note: (result: Readonly<Record<string, unknown>>) => void = () => {},
  ) {
    this.#tools = tools;
    this.#signal = signal;
    this.#note = note;
    this.recording = tools.recording;
  }

  effectOf(tool: string): ReturnType<NonNullable<RunTools['effectOf']>> {
    return this.#tools.effectOf?.(tool);
  }

  clipRecording(order: ClipOrder): Promise<ClipReceipt> {
    return this.#tools.clipRecording(order);
  }

  async runController(order: ControllerRun): Promise<ControllerRunResult> {
    const result = await this.#tools.runController(order);
    this.#note(result);
    return result;
  }

  async call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const ends = signal ? AbortSignal.any([this.#signal, signal]) : this.#signal;
    const result = await this.#tools.call(tool, args, ends);
    this.#note(result);
    return result;
  }
}
