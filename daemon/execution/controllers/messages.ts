import type { PutResult } from './action-queue.ts';
import type { ControllerSpec } from './controller-spec.ts';

/** Messages to the thread of the controllers; `index` is that of the controller, `run` counts its starts. */
export type ToThread =
  | { readonly kind: 'begin'; readonly index: number; readonly run: number; readonly lease: number }
  /** `brakes`: on its way to rest first. */
  | { readonly kind: 'end'; readonly index: number; readonly run: number; readonly brakes: boolean }
  | {
      readonly kind: 'answer';
      readonly index: number;
      readonly run: number;
      readonly id: number;
      readonly stepMs: number;
      readonly actions: Float32Array;
      readonly horizon: number;
      readonly dimension: number;
      readonly policyHash: string;
    }
  | { readonly kind: 'failed'; readonly index: number; readonly run: number; readonly id: number }
  | { readonly kind: 'close' };

export type FromThread =
  /** `tid` is the thread id of the host, 0 where it is unknown. */
  | { readonly kind: 'ready'; readonly tid: number }
  | {
      readonly kind: 'question';
      readonly index: number;
      readonly run: number;
      readonly id: number;
      readonly anchorMs: number;
      readonly prefix: Float32Array<ArrayBuffer>;
      readonly stepMs: number;
      readonly policyHash: string;
    }
  | {
      readonly kind: 'chunk';
      readonly index: number;
      readonly run: number;
      readonly chunk: number;
      readonly result: PutResult;
      readonly delayMs: number;
      readonly rows: number;
      readonly policyHash: string;
      readonly anchorMs: number;
    }
  /** It may no longer move: the thread has ended it, and says why. */
  | { readonly kind: 'ended'; readonly index: number; readonly run: number; readonly reason: string }
  /** It has no further steps on the way to rest. */
  | { readonly kind: 'rested'; readonly index: number; readonly run: number }
  /** From here on records name this text by its number. */
  | { readonly kind: 'reason'; readonly id: number; readonly text: string };

/** What the thread is started with, beside its port. */
export type ThreadData = {
  readonly specs: readonly ControllerSpec[];
  readonly shared: SharedArrayBuffer;
};
