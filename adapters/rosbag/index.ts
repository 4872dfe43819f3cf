export type { AbsentFiles } from './absent-files.ts';
export type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic } from './bag.ts';
export { type BagDetails, bagDetails, type TopicDetails } from './bag-details.ts';
export { type BagFileInfo, type BagInfo, bagInfo } from './bag-info.ts';
export type { Compression, OutputOptions, WrittenFile } from './bag-output.ts';
export { BagSource, type BagSourceOptions, type PlayResult } from './bag-source.ts';
export { BagWriter, type WriterOptions, type WrittenBag } from './bag-writer.ts';
export {
  ContentHash,
  type CopyLosses,
  type CopyOptions,
  type CopyProgress,
  type CopyResult,
  copyBag,
  type Every,
  originOf,
} from './copy-bag.ts';
export { BagCutter } from './cut-aside.ts';
export { refuseEmptySpan } from './cut-checks.ts';
export { bagNameOf, type Imported, importBag } from './import-bag.ts';
export { latchedBefore } from './latched.ts';
export { bagFiles, bagNotes, openBag, openBags, openFile } from './open-bag.ts';
export { openBytes, type SegmentBytes, segmentBytes } from './segment-bytes.ts';
export { recordedMessages, segmentMessages } from './segment-messages.ts';
export { matcherOf, wantedTopics } from './topic-patterns.ts';
