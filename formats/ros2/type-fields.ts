import { codecOf, type Field } from './codec.ts';

/** One type by its short name (`geometry_msgs/Twist`), with the fields of it in order. */
export type TypeFields = {
  readonly type: string;
  readonly fields: readonly TypeField[];
};
/** `length`: elements of an array of fixed size, 0 for one of any size; undefined: no array. */
export type TypeField = {
  readonly name: string;
  readonly type: string;
  readonly length: number | undefined;
  readonly isPlain: boolean;
};

const TIMES: Readonly<Record<string, string>> = {
  time: 'builtin_interfaces/Time',
  duration: 'builtin_interfaces/Duration',
};

/**
 * A type and the types within it, the type itself first. `definition`: its text with dependencies (`ros2msg`); without
 * it the text that this host knows. Throws `sample.unknown_type`.
 */
export function typeFields(type: string, definition?: string): readonly TypeFields[] {
  const codec = codecOf(type, definition);
  const shown = (name: string, fields: readonly Field[]): TypeFields => ({
    type: shortName(name),
    fields: fields.map(({ name: field, type: of, isArray, arrayLength, isComplex }) => ({
      name: field,
      type: TIMES[of] ?? shortName(of),
      length: isArray === true ? (arrayLength ?? 0) : undefined,
      isPlain: isComplex !== true && TIMES[of] === undefined,
    })),
  });
  return [shown(type, codec.fields), ...[...codec.parts].map(([name, fields]) => shown(name, fields))];
}

function shortName(type: string): string {
  return type.replace(/\/(?:msg|srv|action)\//, '/');
}
