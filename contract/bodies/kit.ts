import { type Static, type TSchema, Type } from 'typebox';
import type { Frozen } from '../motion/goals.ts';

/** Building blocks of the bodies of calls between cells. They travel by structured clone, so bytes and bigint survive. */

const closed = { additionalProperties: false } as const;

/** A question: a field that is not named here is refused. */
export const ask = <P extends Record<string, TSchema>>(fields: P) => Type.Object(fields, closed);
/** An answer, or a part of a question or an answer: all of its fields have to be there; what else it says is left to the caller. */
export const reply = <P extends Record<string, TSchema>>(fields: P) => Type.Object(fields);
/** A field that is always there and may hold nothing. */
export const maybe = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Undefined()]);
export const list = <S extends TSchema>(schema: S) => Type.Array(schema);
export const byName = <S extends TSchema>(schema: S) => Type.Record(Type.String(), schema);
export const oneOf = <const T extends readonly string[]>(names: T) =>
  Type.Unsafe<T[number]>(Type.Enum([...names]));

export const text = Type.String();
export const flag = Type.Boolean();
/** Finite. */
export const number = Type.Number();
export const count = Type.Integer({ minimum: 0 });
/** What a sensor or a clock gave: NaN and infinity are values that it may give. */
export const measured = Type.Unsafe<number>({
  not: {
    type: ['object', 'array', 'string', 'boolean', 'null', 'bigint', 'undefined', 'function', 'symbol'],
  },
});
export const nanoseconds = Type.BigInt();
/** Nanoseconds as decimal text; empty: not known. */
export const wireTime = Type.String({ pattern: '^-?[0-9]*$' });
/** Free values by name, which the receiver checks. */
export const values = Type.Record(Type.String(), Type.Unknown());
/** Checked by the cell that receives it. */
export const unchecked = Type.Unknown();

const view = <T>(bytesEach: number) =>
  Type.Unsafe<T>({
    type: 'object',
    required: ['byteLength', 'BYTES_PER_ELEMENT'],
    properties: { byteLength: { type: 'integer' }, BYTES_PER_ELEMENT: { const: bytesEach } },
  });
export const bytes = view<Uint8Array>(1);
export const int8s = view<Int8Array>(1);
export const floats = view<Float32Array>(4);

/** No fields. */
export const nothing = Type.Unsafe<Record<string, never>>(Type.Object({}, closed));
/** No answer but that it is done. */
export const done = Type.Unsafe<void>({ type: 'undefined' });

/** The type of a body; receivers do not change it. */
export type BodyOf<S extends TSchema> = Frozen<Static<S>>;
