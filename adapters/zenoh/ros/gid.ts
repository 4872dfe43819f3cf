import { createXXHash128 } from 'hash-wasm';

/** From a liveliness token to the id of its entity: XXH3-128, low half first, each half little-endian. */
export type GidOf = (token: string) => Uint8Array;

/** The hash is WebAssembly, which compiles asynchronously, once. */
export async function makeGidOf(): Promise<GidOf> {
  const hasher = await createXXHash128();
  return (token) => hasher.init().update(token).digest('binary').slice().reverse();
}
