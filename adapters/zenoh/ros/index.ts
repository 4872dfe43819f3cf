export { definitionFiles } from './definition-files.ts';
export { RosZenohApi } from './ros-zenoh-api.ts';
export { RosZenohSink } from './ros-zenoh-sink.ts';
export { RosZenohSource, type RosZenohSourceOptions } from './ros-zenoh-source.ts';
export { type RosZenohDeps, type RosZenohOptions, RosZenohSession } from './session.ts';
export { RosZenohStandby } from './standby.ts';
