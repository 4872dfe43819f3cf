import { Type } from 'typebox';
import { UUID_PATTERN } from './ids.ts';

/** Building blocks of the schemas. `closed` objects refuse unknown fields at the border. */
export const closed = { additionalProperties: false } as const;

export const Uuid = (description: string) => Type.String({ pattern: UUID_PATTERN, description });
export const Name = (description: string) =>
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$', description });
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, lower-case hex' });
export const Text = (maxLength: number, description: string) => Type.String({ maxLength, description });
/** Free JSON of an application: checked by the application's own schema, bounded by LIMITS. */
export const Json = Type.Record(Type.String({ maxLength: 256 }), Type.Unknown());
export const Count = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

/** The principal that a request came from; absent where no person or client gave it. */
export const By = Type.Optional(Text(128, 'principal that asked for it'));
/** Absent where the robot was measured to stand, or had nothing to stop. */
export const StopConfirmed = Type.Optional(
  Type.Literal(false, { description: 'false: it was not confirmed that the robot stands' }),
);
