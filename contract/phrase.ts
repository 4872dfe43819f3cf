/** Words of a person that mean an intent: a template, and values that go with it. Plain data. */
export type Phrase = {
  /** For example `(drive|go) {metres:distance} {metres:along}`; see docs/write-an-app.md. */
  readonly say: string;
  /** Parameters that the words do not give. A number is multiplied by what slots of the same name found. */
  readonly params?: Readonly<Record<string, unknown>>;
};

/** A place of the map that has a name: metres and radians in the frame `map`. */
export type NamedPlace = {
  readonly name: string;
  /** Other names of it. */
  readonly also: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly yaw?: number;
};
