import {
  type ClipOrder,
  type ClipReceipt,
  type ControllerRun,
  type ControllerRunResult,
  checker,
  LIMITS,
  type RunTools,
  type ToolBox,
  type ToolSpec,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { ToolGate } from '../gate/tool-gate.ts';
import { askClip, clipDeadlineMs } from '../robot/ask-clip.ts';
import type { ExecutionPort } from '../robot/ask-execution.ts';
import { controllerDeadlineMs, runController } from '../robot/run-controller.ts';
import { ControllerRunArgs } from '../tools/controller-tool.ts';

/** The longest that a run may be made to wait for the end of its clip, seconds. */
const POST_S_MAX = 600;

const orderChecker = checker(
  Type.Object(
    {
      name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$' })),
      pre_s: Type.Number({ minimum: 0, maximum: LIMITS.CLIP_SPAN_MS_MAX / 1000 }),
      post_s: Type.Number({ minimum: 0, maximum: POST_S_MAX }),
    },
    { additionalProperties: false },
  ),
);

const controllerChecker = checker(ControllerRunArgs);

/** Tools of a run other than motions of the base. Each call passes the tool gate of the run. */
export class GatedTools implements RunTools {
  readonly recording: RunTools['recording'];
  readonly #gate: ToolGate;
  readonly #execution: ExecutionPort;
  readonly #box: Pick<ToolBox, 'call' | 'specs'>;

  constructor(
    gate: ToolGate,
    execution: ExecutionPort,
    recording: RunTools['recording'],
    box: Pick<ToolBox, 'call' | 'specs'>,
  ) {
    this.#gate = gate;
    this.#execution = execution;
    this.recording = recording;
    this.#box = box;
  }

  effectOf(tool: string): ToolSpec['effect'] | undefined {
    return this.#box.specs().find(({ name }) => name === tool)?.effect;
  }

  async call(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#box.call(tool, args, signal ? { signal } : {})).result;
  }

  async clipRecording(order: ClipOrder): Promise<ClipReceipt> {
    const { name, pre_s, post_s } = orderChecker.parse(order, 'clip_recording');
    const result = await this.#gate.call({
      tool: 'clip_recording',
      args: { ...(name === undefined ? {} : { name }), pre_s, post_s },
      effect: 'write',
      replay: 'safe',
      deadlineMs: clipDeadlineMs(post_s),
      work: async (_signal, callId) =>
        await askClip(this.#execution, 'clip_recording', { callId, name, beforeS: pre_s, afterS: post_s }),
    });
    return result as ClipReceipt;
  }

  async runController(order: ControllerRun): Promise<ControllerRunResult> {
    const args = controllerChecker.parse(order, 'controller.run') as ControllerRun;
    const result = await this.#gate.call({
      tool: 'controller.run',
      args: { ...args },
      effect: 'actuate',
      replay: 'never',
      deadlineMs: controllerDeadlineMs(args.seconds),
      work: async (signal, callId) => ({ ...(await runController(this.#execution, args, callId, signal)) }),
    });
    return result as ControllerRunResult;
  }
}
