/** What travels between `OnnxPolicy` and its worker thread. */
export type OnnxJob = {
  readonly id: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data: Float32Array;
  }[];
};

export type OnnxReply =
  | { readonly t: 'ready'; readonly inputs: readonly string[]; readonly outputs: readonly string[] }
  | { readonly t: 'failed'; readonly message: string }
  | {
      readonly t: 'done';
      readonly id: number;
      readonly data: Float32Array;
      readonly shape: readonly number[];
    }
  | { readonly t: 'error'; readonly id: number; readonly message: string };
