/** A view of the map as the address of the page has it: `#/map/X,Y,SCALE;-LAYER;+LAYER`. Pure. */
export type MapView = {
  /** Metres in the middle of the window. Undefined: all is shown, or the robot is followed. */
  readonly centre: readonly [x: number, y: number] | undefined;
  /** Pixels of a metre. */
  readonly scale: number;
  readonly follows: boolean;
  /** Layers that the person turned on or off, by topic or name. */
  readonly turned: ReadonlyMap<string, boolean>;
};

const SCALE = 50;
const NAME = /^[+-][\w/~ ]{1,256}$/;
export const clampScale = (scale: number) => Math.min(2_000, Math.max(0.5, scale));

/** What is not valid is left out. */
export function mapViewOf(argument: string): MapView {
  const [where = '', ...layers] = argument.split(';');
  const turned = new Map<string, boolean>();
  for (const text of layers) if (NAME.test(text)) turned.set(text.slice(1), text.startsWith('+'));
  const [x, y, scale] = where
    .replace(/^robot,/, '0,0,')
    .split(',')
    .map(Number);
  const isPlace = [x, y, scale].every(Number.isFinite) && scale! > 0;
  const follows = where.startsWith('robot');
  const centre = isPlace && !follows ? ([x!, y!] as const) : undefined;
  return { centre, scale: isPlace ? clampScale(scale!) : SCALE, follows, turned };
}

export function mapArgumentOf({ centre, scale, follows, turned }: MapView): string {
  const short = (value: number) => String(Number(value.toPrecision(5)));
  const where = follows ? `robot,${short(scale)}` : centre ? [...centre, scale].map(short).join(',') : '';
  return [where, ...[...turned].map(([name, on]) => (on ? '+' : '-') + name)].join(';');
}
