export { Recording, type RecordingMode, serveClipService, serveRecording } from './recording.ts';
export type { RetentionPolicy } from './retention.ts';
