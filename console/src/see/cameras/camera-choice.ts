/** Which image topics there are, and which are shown first. Pure. */
import type { Channel } from '../link/sample.ts';

const RAW = 'sensor_msgs/msg/Image';
const COMPRESSED = 'sensor_msgs/msg/CompressedImage';
const FIRST = 4;
export const SHOWN_MAX = 9;

export function camerasOf(channels: ReadonlyMap<string, Channel>): string[] {
  return [...channels.values()]
    .filter(({ schemaName }) => schemaName === RAW || schemaName === COMPRESSED)
    .map(({ topic }) => topic)
    .sort();
}

/** Of a camera that sends both, the compressed images; depths only where a person wants them. */
export function firstOf(channels: ReadonlyMap<string, Channel>): string[] {
  const all = camerasOf(channels);
  const plain = all.filter((topic) => !all.includes(`${topic}/compressed`) && !/depth/i.test(topic));
  return (plain.length > 0 ? plain : all).slice(0, FIRST);
}

/** The topics that an address names; undefined: it names none. */
export function namedCameras(argument: string): string[] | undefined {
  if (argument === '') return undefined;
  return argument
    .split(',')
    .filter((topic) => /^\/[\w/~]+$/.test(topic))
    .slice(0, SHOWN_MAX);
}
