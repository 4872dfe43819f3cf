/** From the owner of the process: texts to compute. */
export type EmbedOrder = { readonly id: number; readonly texts: readonly string[] };
/** From the process. `vectors`: one after the other, each of length 1. */
export type EmbedReply =
  | { readonly t: 'ready' }
  | { readonly t: 'failed'; readonly message: string }
  | { readonly t: 'done'; readonly id: number; readonly vectors: Float32Array }
  | { readonly t: 'error'; readonly id: number; readonly message: string };
