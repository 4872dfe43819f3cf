import { createRequire } from 'node:module';

export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

let loading: Promise<Cedar> | undefined;
let loaded: Cedar | undefined;

/** Loaded on first use only: 0.2 s and 17 MB that a robot without policies of its own need not spend. */
export function loadCedar(): Promise<Cedar> {
  loading ??= import('@cedar-policy/cedar-wasm/nodejs').then((module) => {
    // CommonJS: its names may be found on the default export only.
    const { default: whole } = module as unknown as { default?: Cedar };
    return whole ?? module;
  });
  return loading;
}

/** The same without waiting, for packages that are read in one go. Blocks as long as it takes. */
export function loadCedarNow(): Cedar {
  loaded ??= createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as Cedar;
  return loaded;
}
