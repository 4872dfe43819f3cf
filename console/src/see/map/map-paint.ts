/** Draws what the map page knows on a canvas. Metres in the fixed frame, y up; the canvas has y down. */
import { drawRobot } from '../../lib/robot-shape.ts';
import type { Pose } from '../../lib/views.ts';
import type { Drawing, Grid, Layer } from './layers.ts';
import type { MapScene } from './map-scene.ts';

export type Camera = { readonly x: number; readonly y: number; readonly scale: number };
type Colours = Readonly<
  Record<
    | 'paper'
    | 'free'
    | 'occupied'
    | 'grid'
    | 'scan'
    | 'path'
    | 'goal'
    | 'robot'
    | 'outline'
    | 'trail'
    | 'zone'
    | 'ink',
    string
  >
>;
const LIGHT: Colours = {
  ...{ paper: '#d9dde3', free: '#ffffff', occupied: '#16191d', grid: '#c3c9d2', scan: '#b3261e' },
  ...{ path: '#12763d', goal: '#7a3db8', robot: '#0b57d0', outline: '#00707a', trail: '#7aa2e3' },
  ...{ zone: '#b3261e', ink: '#55606c' },
};
const DARK: Colours = {
  ...{ paper: '#323941', free: '#1d2126', occupied: '#e8eaed', grid: '#3d454f', scan: '#ff8a80' },
  ...{ path: '#6bd494', goal: '#c9a3f5', robot: '#8ab4f8', outline: '#5fd3dd', trail: '#46648f' },
  ...{ zone: '#ff8a80', ink: '#9fa9b5' },
};
export const coloursOf = (dark: boolean): Colours => (dark ? DARK : LIGHT);

/** The image of each grid is made once. */
const images = new WeakMap<Grid, Map<string, OffscreenCanvas>>();
/** A robot whose footprint is unknown, metres. */
const ROBOT_M = 0.2;

/** Topics that could not be drawn, since no frames join them to the fixed frame. */
export function paint(
  canvas: HTMLCanvasElement,
  scene: MapScene,
  layers: readonly Layer[],
  camera: Camera,
  look: { readonly dark: boolean; readonly trail: boolean; readonly ownMap: boolean },
): string[] {
  const context = canvas.getContext('2d')!;
  const colours = coloursOf(look.dark);
  const ratio = devicePixelRatio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const scale = camera.scale * ratio;
  const place: Place = (pose) => {
    const [cos, sin] = [Math.cos(pose.yaw), Math.sin(pose.yaw)];
    const x = canvas.width / 2 + (pose.x - camera.x) * scale;
    const y = canvas.height / 2 - (pose.y - camera.y) * scale;
    context.setTransform(cos * scale, -sin * scale, -sin * scale, -cos * scale, x, y);
  };
  const pixel = 1 / camera.scale;
  if (look.ownMap && scene.ownMap) {
    place({ x: 0, y: 0, yaw: 0 });
    drawGrid(context, scene.ownMap, look.dark, false);
  }
  const lost: string[] = [];
  for (const { topic } of layers) {
    const drawing = scene.shown(topic)?.drawing;
    if (!drawing || drawing.kind === 'robot') continue;
    const pose =
      drawing.frame === scene.fixedFrame ? HERE : scene.frames.find(scene.fixedFrame, drawing.frame);
    if (!pose) {
      lost.push(`${topic} (frame ${drawing.frame || 'without a name'})`);
      continue;
    }
    place(pose);
    draw(context, drawing, colours, pixel, look.dark);
  }
  place(HERE);
  if (look.trail)
    line(
      context,
      scene.trail.points.map(({ x, y }) => [x, y] as const),
      colours.trail,
      2 * pixel,
    );
  const { robot } = scene;
  if (robot) {
    place(robot);
    drawRobot(context, colours.robot, Math.max(ROBOT_M, 8 * pixel));
  }
  drawScale(context, canvas, camera, colours.ink);
  return lost;
}

type Place = (pose: Pose) => void;
const HERE: Pose = { x: 0, y: 0, yaw: 0 };

function draw(
  context: CanvasRenderingContext2D,
  drawing: Exclude<Drawing, { kind: 'robot' }>,
  colours: Colours,
  pixel: number,
  dark: boolean,
): void {
  if (drawing.kind === 'grid' || drawing.kind === 'zone')
    drawGrid(context, drawing.grid, dark, drawing.kind === 'zone');
  else if (drawing.kind === 'scan') {
    context.fillStyle = colours.scan;
    for (const [x, y] of drawing.points)
      context.fillRect(x - 1.5 * pixel, y - 1.5 * pixel, 3 * pixel, 3 * pixel);
  } else if (drawing.kind === 'path') line(context, drawing.points, colours.path, 3 * pixel);
  else if (drawing.kind === 'outline') line(context, drawing.points, colours.outline, 2 * pixel, true);
  else if (drawing.kind === 'goal') drawGoal(context, drawing.pose, colours.goal, pixel);
}

function line(
  context: CanvasRenderingContext2D,
  points: readonly (readonly [number, number])[],
  colour: string,
  width: number,
  closed = false,
): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = 'round';
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  if (closed) context.closePath();
  context.stroke();
}

function drawGoal(
  context: CanvasRenderingContext2D,
  { x, y, yaw }: Pose,
  colour: string,
  pixel: number,
): void {
  const size = Math.max(0.15, 7 * pixel);
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 2 * pixel;
  context.beginPath();
  context.arc(x, y, size, 0, 2 * Math.PI);
  context.stroke();
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + Math.cos(yaw) * size * 2, y + Math.sin(yaw) * size * 2);
  context.stroke();
}

function drawGrid(context: CanvasRenderingContext2D, grid: Grid, dark: boolean, isZone: boolean): void {
  const { origin, resolution, width, height } = grid;
  context.save();
  context.translate(origin.x, origin.y);
  context.rotate(origin.yaw);
  context.imageSmoothingEnabled = false;
  context.globalAlpha = isZone ? 0.45 : 1;
  context.drawImage(imageOf(grid, dark, isZone), 0, 0, width * resolution, height * resolution);
  context.restore();
}

/** Row 0 is at the origin: the transform has y up, so the image needs no turn. */
function imageOf(grid: Grid, dark: boolean, isZone: boolean): OffscreenCanvas {
  const name = `${dark} ${isZone}`;
  const made = images.get(grid) ?? new Map<string, OffscreenCanvas>();
  images.set(grid, made);
  const known = made.get(name);
  if (known) return known;
  const { width, height, cells } = grid;
  const colours = coloursOf(dark);
  const [free, occupied, zone] = [colours.free, colours.occupied, colours.zone].map(wordOf) as [
    number,
    number,
    number,
  ];
  const image = new ImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < words.length; i++) {
    const cell = cells[i]!;
    if (isZone) words[i] = cell > 0 ? zone : 0;
    else if (cell >= 0) words[i] = cell >= 50 ? occupied : free;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  made.set(name, canvas);
  return canvas;
}

/** `#rrggbb` as a little-endian word of an image. */
function wordOf(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return ((255 << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** A bar of a round length. */
function drawScale(
  context: CanvasRenderingContext2D,
  canvas: HTMLCanvasElement,
  { scale }: Camera,
  ink: string,
): void {
  const ratio = devicePixelRatio;
  const metres = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((one) => one * scale > 60) ?? 100;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.strokeStyle = ink;
  context.fillStyle = ink;
  context.lineWidth = 2;
  const y = canvas.height / ratio - 12;
  context.beginPath();
  context.moveTo(12, y);
  context.lineTo(12 + metres * scale, y);
  context.stroke();
  context.font = '12px system-ui, sans-serif';
  context.fillText(`${metres} m`, 12, y - 6);
}
