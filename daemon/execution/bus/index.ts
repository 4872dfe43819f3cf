export { Ledger } from './ledger.ts';
export { Rates } from './rates.ts';
export { SampleBus, type SampleOrigin } from './sample-bus.ts';
