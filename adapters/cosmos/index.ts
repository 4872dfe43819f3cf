export { CosmosPredict } from './cosmos-predict.ts';
export { CosmosReason } from './cosmos-reason.ts';
export { CosmosTransfer } from './cosmos-transfer.ts';
export type { Generation } from './generation.ts';
