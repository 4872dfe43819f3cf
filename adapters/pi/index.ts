export { PiHarness, type PiHarnessOptions } from './pi-harness.ts';
export { loadPi } from './pi-library.ts';
export { PiProviderModel, type PiProviderOptions } from './provider-model.ts';
export type { PiExtension } from './resources.ts';
