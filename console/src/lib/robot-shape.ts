/** A triangle with a notch, which points where the robot looks. */
const CORNERS: readonly (readonly [angle: number, length: number])[] = [
  [0, 1.4],
  [2.4, 1],
  [Math.PI, 0.4],
  [-2.4, 1],
];

/** Draws the robot at the origin of the context, looking along x; `size` in units of the context. */
export function drawRobot(context: CanvasRenderingContext2D, colour: string, size: number): void {
  context.fillStyle = colour;
  context.beginPath();
  for (const [angle, length] of CORNERS)
    context.lineTo(Math.cos(angle) * size * length, Math.sin(angle) * size * length);
  context.fill();
}
