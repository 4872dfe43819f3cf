export { PiHarness, type PiHarnessOptions } from './pi-harness.ts';
export { PiProviderModel, type PiProviderOptions } from './provider-model.ts';
export type { PiExtension } from './resources.ts';
