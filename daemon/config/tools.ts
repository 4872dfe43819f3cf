import { integer, text } from './spec.ts';

const topic = (about: string) =>
  text('', about, {
    match: /^(|\/[A-Za-z0-9_~/]{1,255})$/,
    expected: 'a topic with a leading slash, or ""',
  });

/** `[tools]`: the tools of this house for agents. */
export const TOOLS_KEYS = {
  camera_topic: topic('camera of robot.look where an agent names none; empty: the first by name'),
  scan_topic: topic('scanner of robot.scan where an agent names none; empty: the first by name'),
  image_size: integer(768, 'longer side of the images that models get, pixels; smaller ones stay', {
    min: 32,
    max: 4_096,
  }),
  image_quality: integer(80, 'JPEG quality of these images', { min: 10, max: 100 }),
} as const;
