import type { ModelCard } from './model-card.ts';
import type { PrefixInputs } from './onnx-prefix.ts';

/** Where a network may run. What is not there falls back to the next; the processor is always the last. */
export type OnnxProvider = 'tensorrt' | 'cuda' | 'cpu';

/** What an `OnnxPolicy` gives its worker thread at the start. */
export type OnnxStart = {
  readonly bytes: Uint8Array;
  readonly card: ModelCard;
  readonly prefix: PrefixInputs | undefined;
  readonly providers: readonly OnnxProvider[];
  readonly threads: number;
};

/** One question. Tensors and images are as the policy is given them: the thread scales them. */
export type OnnxJob = {
  readonly id: number;
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly images: Readonly<Record<string, Uint8Array>>;
  readonly task: string | undefined;
  /** [n, dimension] flat; undefined: nothing is fixed, or the network takes no prefix. */
  readonly prefix: Float32Array | undefined;
};

/** Messages to the thread. It ends after its current work. */
export type OnnxOrder = OnnxJob | 'end';

export type OnnxReply =
  | {
      readonly t: 'ready';
      readonly provider: OnnxProvider;
      /** Providers that were asked for and were not available, with the reason. */
      readonly skipped: readonly { readonly provider: OnnxProvider; readonly why: string }[];
    }
  | { readonly t: 'failed'; readonly message: string }
  | { readonly t: 'done'; readonly id: number; readonly data: Float32Array }
  | { readonly t: 'error'; readonly id: number; readonly message: string };
