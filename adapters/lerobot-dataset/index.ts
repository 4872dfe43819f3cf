export type { SourceNote } from './dataset-files.ts';
export { DatasetReader, type ReaderOptions } from './dataset-reader.ts';
export { DatasetWriter, type WriterOptions } from './dataset-writer.ts';
export {
  EpisodeFromSamples,
  type EpisodeMapping,
  type FeatureSource,
  mappingLike,
  type RecordedEpisode,
} from './episode-from-samples.ts';
export { type ExportProgress, type ExportResult, exportEpisodes } from './export-episodes.ts';
export type { VideoCodec } from './ffmpeg.ts';
export { datasetFiles, type HubFile, type HubOptions, type Pushed, pushDataset } from './hub.ts';
export { type DatasetInfo, isNamed, readInfo, specOf } from './info.ts';
export { type DroppedSpan, type FramePlan, frameOffsetNs, planFrames, type Track } from './resample.ts';
export { samplesOf, type TopicMap, topicsFor } from './samples-from-episode.ts';
export { type FeatureStats, joinStats, PictureStats, vectorStats } from './statistics.ts';
