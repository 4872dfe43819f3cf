import { type Static, Type } from 'typebox';
import { ERROR_CODES } from './edge-error.ts';

/** Codes and class are separate files, so that small processes (hosts of robots) need not load the schemas. */
export * from './edge-error.ts';

export const ErrorBody = Type.Object(
  {
    code: Type.Enum(ERROR_CODES),
    operation: Type.String({ maxLength: 256, description: 'what was being done' }),
    subject: Type.String({ maxLength: 1024, description: 'what it was done to: a file, key, topic, id' }),
    message: Type.String({ maxLength: 4096, description: 'what went wrong, for a person' }),
    hint: Type.String({ maxLength: 1024, description: 'what to do about it; may be empty' }),
    retryable: Type.Boolean({ description: 'the same call may succeed later' }),
  },
  { additionalProperties: false },
);
export type ErrorBody = Static<typeof ErrorBody>;
