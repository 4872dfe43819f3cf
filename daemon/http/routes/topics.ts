import type { FastifyInstance } from 'fastify';
import { LIMITS, METHODS, type MessageValue } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { checkRosValue } from '../../../formats/ros2/value-check.ts';
import { askExecution } from '../ask-execution.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Topic = Type.String({
  pattern: '^/[A-Za-z0-9_/]{1,250}$',
  description: 'full name with its namespace',
});
const Message = Type.Object({}, { additionalProperties: true, description: 'fields by name' });
const Nanoseconds = Type.String({
  pattern: '^[0-9]{1,19}$',
  description: 'nanoseconds of the clock of the robot, as text',
});
const TopicBox = Type.Object(
  {
    topic: Type.String(),
    type: Type.String({ description: 'empty: not known yet' }),
    hz: Type.Number({ description: 'messages per second' }),
    latched: Type.Boolean({ description: 'a late subscriber gets the last message' }),
    readable: Type.Boolean({ description: 'the definition of its type is known' }),
  },
  closed,
);
const SampleBox = Type.Object(
  {
    topic: Type.String(),
    type: Type.String(),
    stamp_ns: Nanoseconds,
    received_ns: Nanoseconds,
    bytes: Type.Integer(),
    message: Message,
  },
  closed,
);
const NextQuery = Type.Object(
  {
    topic: Topic,
    after_ns: Type.Optional(Nanoseconds),
    wait_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: LIMITS.TOPIC_WAIT_MS_MAX, description: 'default 5000' }),
    ),
  },
  closed,
);
const PublishBody = Type.Object(
  {
    topic: Topic,
    type: Type.String({
      pattern: '^[A-Za-z]\\w{0,100}/msg/[A-Za-z]\\w{0,100}$',
      description: 'package/msg/Type',
    }),
    message: Type.Optional(Message),
    definition: Type.Optional(
      Type.String({
        maxLength: LIMITS.TOPIC_DEFINITION_MAX,
        description: 'of a type that this robot does not know: .msg text with its dependencies (ros2msg)',
      }),
    ),
  },
  closed,
);
const WAIT_MS = 5_000;

/** Topics one request at a time; `GET /v1/live` has them as they come. */
export function topicRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  const methods = METHODS.execution;
  const describe = (operationId: string, summary: string) => ({ operationId, summary, tags: ['topics'] });

  app.get(
    '/v1/topics',
    {
      schema: {
        ...describe('listTopics', 'Topics of the robot with their types and rates'),
        querystring: NoQuery,
        response: { 200: Type.Object({ topics: Type.Array(TopicBox) }, closed), ...errors },
      },
    },
    async () => await askExecution(bus, methods.topicList, {}),
  );

  app.get(
    '/v1/topics/message',
    {
      schema: {
        ...describe(
          'getTopicMessage',
          'The newest message of a topic as values, or the first one after a time; null: none came in time',
        ),
        querystring: NextQuery,
        response: {
          200: Type.Object({ sample: Type.Union([SampleBox, Type.Null()]) }, closed),
          ...errors,
        },
      },
    },
    async (request) => {
      const { topic, after_ns, wait_ms = WAIT_MS } = request.query as Static<typeof NextQuery>;
      const ask = {
        topic,
        waitMs: wait_ms,
        ...(after_ns === undefined ? {} : { afterNs: BigInt(after_ns) }),
      };
      const { sample } = await askExecution(bus, methods.topicNext, ask, wait_ms + 2_000);
      if (sample === undefined) return { sample: null };
      const { stamp, received, ...rest } = sample;
      return { sample: { ...rest, stamp_ns: String(stamp), received_ns: String(received) } };
    },
  );

  app.post(
    '/v1/topics/publish',
    {
      schema: {
        ...describe('publishMessage', 'Publish a message to the robot; what may move it is refused'),
        body: PublishBody,
        response: { 200: Type.Object({ bytes: Type.Integer() }, closed), ...errors },
      },
    },
    async (request) => {
      const { topic, type, message = {}, definition } = request.body as Static<typeof PublishBody>;
      // Before it travels: a value that is nested too deep breaks the process that carries it.
      checkRosValue(message, '/message');
      const order = { topic, type, message: message as MessageValue };
      return await askExecution(bus, methods.topicPublish, {
        ...order,
        ...(definition === undefined ? {} : { definition }),
      });
    },
  );
}
