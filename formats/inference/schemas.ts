/**
 * Questions and answers as JSON Schema: for callers of `<key>/schema`, and in the document of the API. Written by
 * hand, so that no process loads a schema library for it.
 */

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
        reset: { type: 'boolean', description: 'a new episode starts with this question' },
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

const text = { type: 'string' };
const contentParts = {
  type: 'array',
  items: {
    type: 'object',
    required: ['type'],
    properties: {
      type: { enum: ['text', 'image_url'] },
      text,
      image_url: {
        type: 'object',
        required: ['url'],
        properties: { url: { type: 'string', description: 'data:image/jpeg;base64,… or image/png' } },
      },
    },
  },
};
const toolCalls = {
  type: 'array',
  items: {
    type: 'object',
    required: ['id', 'function'],
    properties: {
      id: text,
      type: { const: 'function' },
      function: {
        type: 'object',
        required: ['name', 'arguments'],
        properties: { name: text, arguments: text },
      },
    },
  },
};

/** Of `ai/inference/chat` and `POST /v1/chat/completions`: the supported part of the OpenAI API. */
export const CHAT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'ai/inference/chat',
  description:
    'application/json or application/msgpack, in the words of the OpenAI API. With stream: true each piece is an answer of its own, chat.completion.chunk, and the last one is the whole chat.completion; ask with consolidation NONE to see the pieces',
  $defs: {
    request: {
      type: 'object',
      required: ['messages'],
      properties: {
        model: {
          type: ['string', 'null'],
          description: 'a model of [[models]]; default auto: whichever fits',
        },
        messages: {
          type: 'array',
          minItems: 1,
          maxItems: 512,
          items: {
            type: 'object',
            required: ['role'],
            properties: {
              role: { enum: ['system', 'developer', 'user', 'assistant', 'tool'] },
              content: { anyOf: [text, contentParts, { type: 'null' }] },
              tool_calls: { anyOf: [toolCalls, { type: 'null' }] },
              tool_call_id: { type: ['string', 'null'] },
            },
          },
        },
        max_tokens: { type: ['integer', 'null'], minimum: 1, maximum: 131_072 },
        max_completion_tokens: { type: ['integer', 'null'], minimum: 1, maximum: 131_072 },
        temperature: { type: ['number', 'null'], minimum: 0, maximum: 2 },
        seed: { type: ['integer', 'null'] },
        stream: { type: ['boolean', 'null'] },
        stream_options: {
          anyOf: [{ type: 'object', properties: { include_usage: { type: 'boolean' } } }, { type: 'null' }],
        },
        tools: { anyOf: [{ type: 'array', maxItems: 128, items: { type: 'object' } }, { type: 'null' }] },
        tool_choice: { anyOf: [text, { type: 'object' }, { type: 'null' }] },
        response_format: { anyOf: [{ type: 'object' }, { type: 'null' }] },
        deadline_ms: {
          type: ['number', 'null'],
          exclusiveMinimum: 0,
          maximum: 300_000,
          description: 'field of this project: from now to the answer; default 60000',
        },
        call: {
          ...name,
          description: 'field of this project: unique name by which `chat/cancel?call=` ends it',
        },
      },
    },
    error: ERROR_SCHEMA,
  },
} as const;

/** Of `ai/inference/plan` and `POST /v1/inference/plan`. */
export const PLAN_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'ai/inference/plan',
  description: 'application/json or application/msgpack. The plan is made and checked, not carried out',
  $defs: {
    request: {
      type: 'object',
      additionalProperties: false,
      required: ['goal'],
      properties: {
        goal: { type: 'string', minLength: 1, maxLength: 1_024, description: 'what is wanted, in words' },
        steps_max: { type: 'integer', minimum: 1, maximum: 64 },
        camera: { type: 'boolean', description: 'the model is shown what the camera sees' },
        subgoals: {
          type: 'array',
          minItems: 1,
          maxItems: 64,
          description: 'of the caller, in place of those of this robot',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['name', 'description', 'params'],
            properties: {
              name: { type: 'string', minLength: 1, maxLength: 128 },
              description: { type: 'string', maxLength: 1_024 },
              params: { type: 'object', description: 'JSON Schema of the parameters' },
            },
          },
        },
        world: {
          type: 'object',
          maxProperties: 256,
          additionalProperties: { type: ['number', 'boolean', 'string'] },
          description: 'what the caller knows, in place of what this robot knows: facts by name',
        },
        deadline_ms: { type: 'integer', minimum: 1, maximum: 600_000, description: 'default 60000' },
        call: { ...name, description: 'unique name by which `plan/cancel?call=` ends it' },
      },
    },
    response: {
      type: 'object',
      required: ['plan', 'model', 'model_id', 'dropped', 'run_id'],
      properties: {
        plan: {
          type: 'object',
          required: ['goal', 'steps'],
          properties: {
            goal: text,
            steps: {
              type: 'array',
              items: {
                type: 'object',
                required: ['step_id', 'subgoal', 'params', 'deadline_ms', 'success', 'fallback'],
                properties: {
                  step_id: text,
                  subgoal: text,
                  params: { type: 'object' },
                  deadline_ms: { type: 'integer' },
                  success: { type: 'array' },
                  fallback: { enum: ['retry', 'replan', 'skip', 'abort'] },
                },
              },
            },
          },
        },
        model: text,
        model_id: text,
        dropped: { type: 'array' },
        run_id: text,
      },
    },
    error: ERROR_SCHEMA,
  },
} as const;
