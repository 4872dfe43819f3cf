/** Draws an occupancy map and the robot on a canvas. Metres in `map`, y up; the canvas has y down. */
import { drawRobot } from '../lib/robot-shape.ts';
import type { GridMap, Pose } from '../lib/views.ts';

type Colour = readonly [number, number, number];
type Colours = {
  readonly unknown: Colour;
  readonly free: Colour;
  readonly occupied: Colour;
  readonly robot: string;
};
const COLOURS: Readonly<Record<'light' | 'dark', Colours>> = {
  light: { unknown: [217, 221, 227], free: [255, 255, 255], occupied: [22, 25, 29], robot: '#0b57d0' },
  dark: { unknown: [50, 57, 65], free: [29, 33, 38], occupied: [232, 234, 237], robot: '#8ab4f8' },
};

export function decodeCells(base64: string): Int8Array {
  const text = atob(base64);
  const cells = new Int8Array(text.length);
  for (let i = 0; i < text.length; i++) cells[i] = (text.charCodeAt(i) << 24) >> 24;
  return cells;
}

/** False where the map is not valid; then nothing is drawn. */
export function drawMap(
  canvas: HTMLCanvasElement,
  map: GridMap,
  pose: Pose | null | undefined,
  dark: boolean,
): boolean {
  const colours = dark ? COLOURS.dark : COLOURS.light;
  const context = canvas.getContext('2d');
  const { width, height } = map;
  const cells = decodeCells(map.cells);
  if (!context || cells.length !== width * height || width < 1 || height < 1) return false;
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const cell = cells[row * width + column]!;
      const colour = cell < 0 ? colours.unknown : cell >= 50 ? colours.occupied : colours.free;
      image.data.set([...colour, 255], ((height - 1 - row) * width + column) * 4);
    }
  }
  canvas.width = width;
  canvas.height = height;
  context.putImageData(image, 0, 0);
  if (pose) placeRobot(context, map, pose, colours.robot);
  return true;
}

/** The canvas has a pixel for each cell of the map. */
function placeRobot(context: CanvasRenderingContext2D, map: GridMap, pose: Pose, colour: string): void {
  const { origin, resolution, height } = map;
  const [cos, sin] = [Math.cos(pose.yaw), Math.sin(pose.yaw)];
  const x = (pose.x - origin.x) / resolution;
  context.setTransform(cos, -sin, -sin, -cos, x, height - (pose.y - origin.y) / resolution);
  drawRobot(context, colour, Math.max(3, 0.2 / resolution));
  context.resetTransform();
}
