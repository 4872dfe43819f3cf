export type { ArrivedSince } from './arrival-order.ts';
export { bagName, bagOf, readSummary } from './bag-folder.ts';
export { bagMetadata, qosProfiles, type SegmentFacts } from './bag-metadata.ts';
export { type ClipFile, type ClipSource, readClips } from './clip-file.ts';
export { replaceFile, syncFolder } from './files.ts';
export type { RecorderListener, RecorderOptions, RecorderStatus } from './options.ts';
export { Recorder } from './recorder.ts';
export type { Eviction, Tombstone } from './tombstones.ts';
