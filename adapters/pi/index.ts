export { PiHarness, type PiHarnessOptions } from './pi-harness.ts';
export type { PiExtension } from './resources.ts';
