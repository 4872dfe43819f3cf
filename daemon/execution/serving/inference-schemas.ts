/** What is asked and answered, as JSON Schema, for whoever asks `<key>/schema`. Written here: no schema library in this cell. */

const shape = (rank: string) => ({
  type: 'array',
  items: { type: 'integer', minimum: 1 },
  maxItems: 8,
  description: rank,
});
const bytesOrNumbers = {
  description:
    'MessagePack: little-endian bytes (bin) or a flat list of numbers; JSON: a flat list of numbers or base64 of the bytes. Row-major',
};
const tensor = {
  type: 'object',
  additionalProperties: false,
  required: ['shape', 'dtype', 'data'],
  properties: {
    shape: shape('sizes'),
    dtype: { enum: ['float32', 'float64', 'int32', 'uint8'] },
    data: bytesOrNumbers,
  },
};
const picture = {
  type: 'object',
  additionalProperties: false,
  required: ['shape', 'dtype', 'data'],
  properties: { shape: shape('[height, width, 3]'), dtype: { const: 'uint8' }, data: bytesOrNumbers },
  description: 'rgb8',
};
const name = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]*$', maxLength: 64 };
export const ERROR_SCHEMA = {
  type: 'object',
  required: ['code', 'operation', 'subject', 'message', 'hint', 'retryable'],
  properties: {
    code: { type: 'string' },
    operation: { type: 'string' },
    subject: { type: 'string' },
    message: { type: 'string' },
    hint: { type: 'string' },
    retryable: { type: 'boolean' },
  },
};

/** Of `ai/inference/vla`. */
export const VLA_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'ai/inference/vla',
  description: 'application/msgpack or application/json; the answer comes as the question did',
  $defs: {
    request: {
      type: 'object',
      additionalProperties: false,
      properties: {
        tensors: { type: 'object', maxProperties: 64, additionalProperties: tensor },
        images: { type: 'object', maxProperties: 64, additionalProperties: picture },
        task: { type: 'string', maxLength: 4096 },
        stamp: {
          type: ['string', 'integer'],
          description: 'when it was measured, nanoseconds since the epoch as decimal text; default: now',
        },
        deadline_ms: { type: 'number', exclusiveMinimum: 0, maximum: 30_000, default: 1_000 },
        policy: { ...name, description: 'default: the first that is configured' },
        session: { ...name, description: 'an episode of this caller, where the policy remembers' },
        reset: { type: 'boolean', description: 'a new episode begins with this question' },
        prefix: { ...tensor, description: '[n, dimension]: actions that are fixed already' },
        call: { ...name, description: 'unique name by which `vla/cancel?call=` ends it' },
      },
    },
    response: {
      type: 'object',
      required: ['actions', 'step_ms', 'stamp', 'policy_hash'],
      properties: {
        actions: {
          ...tensor,
          description: '[horizon, dimension], float32; action i is for stamp + i * step_ms',
        },
        step_ms: { type: 'number' },
        stamp: { type: 'string' },
        policy_hash: { type: 'string' },
      },
    },
    error: ERROR_SCHEMA,
  },
} as const;
