export { bagMetadata, qosProfiles, type SegmentFacts } from './bag-metadata.ts';
export type { RecorderOptions, RecorderStatus } from './options.ts';
export { Recorder } from './recorder.ts';
