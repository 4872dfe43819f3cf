import { crc32, deflateSync } from 'node:zlib';
import type { MapSnapshot, Pose2d } from 'auraison-edge';
import type { Place } from './facts.ts';

type Colour = readonly [number, number, number];

const FREE: Colour = [240, 240, 240];
const WALL: Colour = [30, 30, 30];
const UNSEEN: Colour = [140, 140, 150];
const ROBOT: Colour = [20, 60, 220];
/** Discs of the places, in the order of their letters; words for prompts. */
export const DISCS: readonly { readonly name: string; readonly colour: Colour }[] = [
  { name: 'red', colour: [220, 30, 30] },
  { name: 'green', colour: [20, 150, 40] },
  { name: 'orange', colour: [240, 150, 20] },
  { name: 'purple', colour: [150, 40, 180] },
];
/** Pixels of the shorter side, at least: services look at no stamps. */
const SIDE_MIN = 256;
const SCALE_MAX = 16;
/** Radius of discs and robot, metres; length of the robot's nose, metres. */
const DISC_M = 0.22;
const ROBOT_M = 0.18;
const NOSE_M = 0.35;

/**
 * The map from above as a PNG, north up: free floor white, walls black, unseen grey, the robot blue with a nose the way
 * it looks, and the places as discs. Pure: the same map gives the same bytes.
 */
export function mapPicture(map: MapSnapshot, pose: Pose2d, places: readonly Place[]): Uint8Array {
  const scale = Math.max(1, Math.min(SCALE_MAX, Math.ceil(SIDE_MIN / Math.min(map.width, map.height))));
  const width = map.width * scale;
  const height = map.height * scale;
  const pixels = new Uint8Array(width * height * 3);
  const paint = (x: number, y: number, colour: Colour) => {
    if (x >= 0 && y >= 0 && x < width && y < height) pixels.set(colour, (y * width + x) * 3);
  };
  for (let y = 0; y < height; y++) {
    const row = map.height - 1 - Math.floor(y / scale);
    for (let x = 0; x < width; x++) {
      const cell = map.cells[row * map.width + Math.floor(x / scale)]!;
      paint(x, y, cell < 0 ? UNSEEN : cell >= 50 ? WALL : FREE);
    }
  }
  const perMetre = scale / map.resolution;
  const at = ({ x, y }: Place) => ({
    x: (x - map.origin.x) * perMetre,
    y: height - (y - map.origin.y) * perMetre,
  });
  const disc = (place: Place, metres: number, colour: Colour) => {
    const { x, y } = at(place);
    const radius = Math.max(2, metres * perMetre);
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++)
        if (dx * dx + dy * dy <= radius * radius) paint(Math.round(x + dx), Math.round(y + dy), colour);
  };
  for (const [index, place] of places.slice(0, DISCS.length).entries())
    disc(place, DISC_M, DISCS[index]!.colour);
  disc(pose, ROBOT_M, ROBOT);
  for (let along = 0; along <= NOSE_M; along += 0.02)
    disc({ x: pose.x + along * Math.cos(pose.yaw), y: pose.y + along * Math.sin(pose.yaw) }, 0.03, ROBOT);
  return png(width, height, pixels);
}

/** PNG of 8-bit RGB (ISO/IEC 15948): signature, header, one stream of rows without filters, end. */
function png(width: number, height: number, rgb: Uint8Array): Uint8Array {
  const rows = Buffer.alloc(height * (width * 3 + 1));
  for (let y = 0; y < height; y++)
    Buffer.from(rgb.buffer, rgb.byteOffset + y * width * 3, width * 3).copy(rows, y * (width * 3 + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const parts = [
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

function chunk(type: string, body: Buffer): Buffer {
  const whole = Buffer.alloc(body.length + 12);
  whole.writeUInt32BE(body.length, 0);
  whole.write(type, 4, 'latin1');
  body.copy(whole, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, body.length + 8)), body.length + 8);
  return whole;
}
