export { bagMetadata, qosProfiles, type SegmentFacts } from './bag-metadata.ts';
export { Recorder, type RecorderOptions, type RecorderStatus } from './recorder.ts';
