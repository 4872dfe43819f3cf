export { EngineClient } from './engine-client.ts';
export { freeMemory } from './engine-memory.ts';
export { EngineModel } from './engine-model.ts';
export { EngineProcess } from './engine-process.ts';
export { checkRevision } from './engine-revision.ts';
export { type EngineOptions, SupervisedEngine } from './supervised-engine.ts';
