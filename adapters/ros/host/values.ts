import { HostFault } from './fault.ts';
import type { FieldDef, MessageClass, Rclnodejs } from './vendor.ts';

/**
 * Values between the port's shape (`MessageValue`) and that of rclnodejs, by the definition of the class. What
 * a person typed is checked here: rclnodejs takes unknown fields silently and crashes on some wrong ones.
 */

type Value = { readonly [field: string]: unknown };

/** Inclusive bounds; `byte` and `char` are one octet in ROS 2. */
const INTEGERS: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  byte: [0, 255],
  char: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};
const WIDE: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};
const TYPED: Readonly<Record<string, new (values: number[]) => ArrayLike<number>>> = {
  int8: Int8Array,
  uint8: Uint8Array,
  byte: Uint8Array,
  char: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
};
/** rclnodejs marks messages without fields by this one. */
const EMPTY_MEMBER = 'structure_needs_at_least_one_member';

/** A complete plain object for `new cls(...)`: defaults where a field is missing. Throws `schema.invalid`. */
export function toVendor(rcl: Rclnodejs, cls: MessageClass, value: unknown, path = ''): Value {
  if (!isRecord(value)) throw misfit(path, `must be an object, found ${kindOf(value)}`);
  const fields = fieldsOf(cls);
  const names = new Set(fields.map(({ name }) => name));
  for (const name of Object.keys(value)) {
    if (!names.has(name))
      throw misfit(`${path}/${name}`, `no such field; there are ${[...names].join(', ') || 'none'}`);
  }
  const full: Record<string, unknown> = {};
  for (const field of fields)
    full[field.name] = fieldToVendor(rcl, field, value[field.name], `${path}/${field.name}`);
  if (fields.length === 0) full[EMPTY_MEMBER] = 0;
  return full;
}

/** The reverse: 64-bit integers are bigint, their arrays typed, as `formats/ros2` decodes. */
export function fromVendor(rcl: Rclnodejs, cls: MessageClass, value: Value): Value {
  const out: Record<string, unknown> = {};
  for (const { name, type } of fieldsOf(cls)) {
    const given = value[name];
    const nested = type.isPrimitiveType ? undefined : classOf(rcl, type);
    if (type.isArray) {
      const list = Array.from((given ?? []) as ArrayLike<unknown>);
      if (nested) out[name] = list.map((one) => fromVendor(rcl, nested, one as Value));
      else out[name] = arrayOf(type.type, list);
    } else if (nested) out[name] = fromVendor(rcl, nested, given as Value);
    else out[name] = type.type in WIDE ? BigInt(given as number) : given;
  }
  return out;
}

function arrayOf(type: string, list: unknown[]): unknown {
  if (type === 'int64') return BigInt64Array.from(list.map((one) => BigInt(one as number)));
  if (type === 'uint64') return BigUint64Array.from(list.map((one) => BigInt(one as number)));
  const Typed = TYPED[type];
  return Typed ? new Typed(list as number[]) : list;
}

function fieldToVendor(rcl: Rclnodejs, field: FieldDef, given: unknown, path: string): unknown {
  const { type } = field;
  if (!type.isArray) return oneToVendor(rcl, type, given ?? field.default_value ?? undefined, path);
  const fixed = type.isFixedSizeArray === true ? (type.arraySize ?? 0) : undefined;
  const value = given ?? field.default_value ?? (fixed === undefined ? [] : undefined);
  if (value !== undefined && !isList(value)) throw misfit(path, `must be an array, found ${kindOf(value)}`);
  const list = value as ArrayLike<unknown> | undefined;
  if (fixed !== undefined && list && list.length !== fixed)
    throw misfit(path, `must have ${fixed} elements, found ${list.length}`);
  if (type.isUpperBound && list && list.length > (type.arraySize ?? Infinity))
    throw misfit(path, `must have at most ${type.arraySize} elements, found ${list.length}`);
  const count = fixed ?? list!.length;
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(oneToVendor(rcl, type, list?.[i], `${path}/${i}`));
  const Typed = TYPED[type.type];
  return type.isPrimitiveType && Typed ? new Typed(values as number[]) : values;
}

function oneToVendor(rcl: Rclnodejs, type: FieldDef['type'], value: unknown, path: string): unknown {
  if (!type.isPrimitiveType) return toVendor(rcl, classOf(rcl, type), value ?? {}, path);
  const name = type.type;
  if (name === 'bool') return expect(value ?? false, typeof (value ?? false) === 'boolean', name, path);
  if (name === 'string' || name === 'wstring') {
    const text = value ?? '';
    expect(text, typeof text === 'string', name, path);
    if (type.stringUpperBound && (text as string).length > type.stringUpperBound)
      throw misfit(path, `longer than ${type.stringUpperBound}`);
    return text;
  }
  if (name === 'float32' || name === 'float64') {
    const given = value ?? 0;
    // 1e300 would become infinity on its way.
    const fits =
      name === 'float64' || !Number.isFinite(given) || Number.isFinite(Math.fround(given as number));
    return expect(given, typeof given === 'number' && fits, name, path);
  }
  const wide = WIDE[name];
  if (wide) {
    const whole = typeof value === 'bigint' ? value : toBigint(value ?? 0, name, path);
    return expect(whole, whole >= wide[0] && whole <= wide[1], name, path);
  }
  const bounds = INTEGERS[name];
  if (!bounds) throw misfit(path, `fields of ${name} are not supported`);
  const whole = typeof value === 'bigint' ? Number(value) : (value ?? 0);
  const fits = Number.isInteger(whole) && (whole as number) >= bounds[0] && (whole as number) <= bounds[1];
  return expect(whole, fits, name, path);
}

/** JSON knows no 64-bit integers: decimal text is taken as well. */
function toBigint(value: unknown, name: string, path: string): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw misfit(path, `must be ${name}, found ${kindOf(value)}`);
}

function fieldsOf(cls: MessageClass): readonly FieldDef[] {
  return (cls.ROSMessageDef?.fields ?? []).filter(({ name }) => name !== EMPTY_MEMBER);
}

function classOf(rcl: Rclnodejs, type: FieldDef['type']): MessageClass {
  return rcl.require(`${type.pkgName}/msg/${type.type}`);
}

function expect<T>(value: T, fits: boolean, name: string, path: string): T {
  if (fits) return value;
  throw misfit(path, `must be ${name}, found ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'bigint') return String(value);
  return Array.isArray(value) ? 'an array' : typeof value;
}
function isRecord(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !isList(value);
}
function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
function misfit(path: string, message: string): HostFault {
  return new HostFault('schema.invalid', 'encode a message', path || '/', `${path || '/'}: ${message}`);
}
