import type { FastifyInstance, FastifyReply } from 'fastify';
import { EdgeError, LIMITS, METHODS, UUID_PATTERN, withDeadline } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { rangeOf } from '../byte-range.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts, SegmentBytes } from '../http-ports.ts';
import { AdoptedView, BagParams, CancelBody, errors, NoQuery } from '../schemas.ts';
import { endWhenStalled } from '../stalled-send.ts';

const FileParams = Type.Object(
  {
    ...BagParams.properties,
    file: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,159}\\.mcap$',
      description: 'name of a sealed segment, as the table segments of the lakehouse has it',
    }),
  },
  { additionalProperties: false },
);
const closed = { additionalProperties: false } as const;
/** Up to the year 2255: all fit into 64 bits. */
const Time = (description: string) =>
  Type.String({ pattern: '^(0|[1-9][0-9]{0,17}|[1-8][0-9]{18})$', description });
const filled = (key: string) => ({ properties: { [key]: { minLength: 1 } }, required: [key] });
const AnnotationBody = Type.Object(
  {
    annotation_id: Type.Optional(
      Type.String({ pattern: UUID_PATTERN, description: 'replaces what was written under this id' }),
    ),
    start_ns: Time('from here, nanoseconds of the clock of the recording'),
    end_ns: Type.Optional(Time('to here; absent: of a moment')),
    label: Type.Optional(Type.String({ maxLength: 64, description: 'short name' })),
    text: Type.Optional(Type.String({ maxLength: 2048, description: 'what was seen' })),
    removed: Type.Optional(Type.Boolean({ description: 'takes back what was written under this id' })),
  },
  // Something is written, be it to take it back.
  { ...closed, anyOf: [filled('label'), filled('text')] },
);
const CutBody = Type.Object(
  {
    start_ns: Time('from here, nanoseconds of the clock of the recording'),
    end_ns: Time('to here, which is left out'),
    topics: Type.Optional(
      Type.Array(Type.String({ maxLength: 256 }), {
        maxItems: 256,
        description: 'only these; * stands for anything',
      }),
    ),
  },
  closed,
);
const AnnotationView = Type.Object(
  {
    ...{ annotation_id: Type.String(), bag: Type.String(), start_ns: Type.String(), end_ns: Type.String() },
    ...{ label: Type.String(), text: Type.String(), by: Type.String(), removed: Type.Boolean() },
  },
  closed,
);
const MCAP = 'application/octet-stream';
const bytesOf = (description: string) => ({
  description,
  content: { [MCAP]: { schema: Type.String({ format: 'binary' }) } },
});

/** Recordings in the catalogue of this robot. */
export function bagRoutes(app: FastifyInstance, ports: HttpPorts): void {
  app.post(
    '/v1/bags/:bag/adopt',
    {
      schema: {
        operationId: 'adoptBag',
        summary:
          'Enter the segments of an imported bag into the log, and with it into lake and link; twice is once',
        tags: ['robot'],
        params: BagParams,
        body: CancelBody,
        response: { 200: AdoptedView, ...errors },
      },
    },
    async (request) =>
      ports.bus.request('execution', METHODS.execution.bagAdopt, request.params as Static<typeof BagParams>),
  );

  app.post(
    '/v1/bags/:bag/annotations',
    {
      schema: {
        operationId: 'annotateBag',
        summary: 'Write about a time of a recording; the table annotations of the lakehouse has all of it',
        tags: ['recorder'],
        params: BagParams,
        body: AnnotationBody,
        response: { 201: AnnotationView, ...errors },
      },
    },
    async (request, reply) => {
      const { bag } = request.params as Static<typeof BagParams>;
      const { annotation_id, ...body } = request.body as Static<typeof AnnotationBody>;
      const { start_ns, end_ns = start_ns, label = '', text = '', removed = false } = body;
      // A span that was marked from its end is the same span.
      const [start, end] = BigInt(end_ns) < BigInt(start_ns) ? [end_ns, start_ns] : [start_ns, end_ns];
      const by = callerOf(request).principal;
      const words = { bag, start_ns: start, end_ns: end, label, text, removed, by };
      const written = await ports.annotate?.(words, annotation_id);
      if (!written) throw missing(`bags/${bag}`, 'annotate');
      return reply.code(201).send(written);
    },
  );

  app.post(
    '/v1/bags/:bag/cut',
    {
      schema: {
        operationId: 'cutBag',
        summary: 'A part of a recording as an MCAP file of its own, as auraison bag cut makes it',
        tags: ['recorder'],
        params: BagParams,
        body: CutBody,
        response: { 200: bytesOf('the part'), ...errors },
      },
    },
    async (request, reply) => {
      const { bag } = request.params as Static<typeof BagParams>;
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const made = await ports.cutBag?.(bag, request.body as Static<typeof CutBody>, gone.signal);
      if (!made) throw missing(`bags/${bag}`, 'cut bag');
      try {
        return send(ports, reply, made, undefined, `${bag}_cut.mcap`, () => {});
      } catch (error) {
        closeQuietly(made, () => {});
        throw error;
      }
    },
  );

  const places = new Places();
  app.get(
    '/v1/bags/:bag/files/:file',
    {
      schema: {
        operationId: 'readSegment',
        summary: 'Bytes of a sealed segment of a recording (MCAP): all, or one range (Range: bytes=0-1023)',
        tags: ['recorder'],
        params: FileParams,
        querystring: NoQuery,
        response: { 200: bytesOf('the file'), 206: bytesOf('the range'), ...errors },
      },
    },
    async (request, reply) => {
      const { bag, file } = request.params as Static<typeof FileParams>;
      const leave = places.take(callerOf(request).principal, file);
      const asked = ports.segment?.(bag, file);
      let found: SegmentBytes | undefined;
      try {
        found =
          asked && (await withDeadline(ports.clock, LIMITS.API_REQUEST_MS, asked, 'read segment', file));
        if (!found) throw missing(`bags/${bag}/${file}`);
        return send(ports, reply, found, request.headers.range, file, leave);
      } catch (error) {
        // A file that opens after its deadline is closed then.
        void asked
          ?.then((late) => late?.close())
          .catch(() => {})
          .finally(leave);
        throw error;
      }
    },
  );
}

/** The part that was asked for, at the pace of the client. The place is free when it is sent, or the client is gone or stalls. */
function send(
  { clock }: Pick<HttpPorts, 'clock'>,
  reply: FastifyReply,
  segment: SegmentBytes,
  asked: string | undefined,
  file: string,
  leave: () => void,
): FastifyReply {
  const range = rangeOf(asked, segment.bytes);
  if (range === 'outside') {
    closeQuietly(segment, leave);
    const error = new EdgeError('schema.invalid', {
      ...{ operation: 'read segment', subject: file },
      message: `${asked?.slice(0, 64)} is outside of ${segment.bytes} bytes`,
    });
    return reply.code(416).header('content-range', `bytes */${segment.bytes}`).send(error.toBody());
  }
  const { first, last } = range ?? { first: 0, last: segment.bytes - 1 };
  void reply
    .type(MCAP)
    .header('accept-ranges', 'bytes')
    .header('content-length', last - first + 1)
    .header('content-disposition', `attachment; filename="${file}"`);
  if (range) void reply.code(206).header('content-range', `bytes ${first}-${last}/${segment.bytes}`);
  if (segment.bytes === 0) {
    closeQuietly(segment, leave);
    return reply.send(Buffer.alloc(0));
  }
  const stream = segment.stream(first, last);
  stream.once('close', leave);
  endWhenStalled(clock, reply, stream);
  return reply.send(stream);
}

/** Nothing of it is sent: whether it closes well is of no interest. */
function closeQuietly(segment: SegmentBytes, leave: () => void): void {
  void segment
    .close()
    .catch(() => {})
    .finally(leave);
}

function missing(subject: string, operation = 'read segment'): EdgeError {
  return new EdgeError('api.not_found', {
    ...{ operation, subject },
    message: 'this robot does not have it: it is not sealed yet, or it was removed to make room',
    hint: 'the table segments of the lakehouse lists them; POST /v1/recorder/seal seals the open one',
  });
}

/** How many segments are read at a time, so that slow readers hold a few open files and nothing else. */
class Places {
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** Returns what gives the place back. Throws `quota.exceeded`. */
  take(principal: string, subject: string): () => void {
    const own = this.#taken.get(principal) ?? 0;
    if (this.#all >= LIMITS.BAG_READS_MAX || own >= LIMITS.BAG_READS_EACH_MAX)
      throw new EdgeError('quota.exceeded', {
        ...{ operation: 'read segment', subject },
        message: `${own} segments are read by ${principal}, ${this.#all} altogether`,
        hint: 'read one part after the other',
      });
    this.#all += 1;
    this.#taken.set(principal, own + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#all -= 1;
      const left = this.#taken.get(principal)! - 1;
      if (left > 0) this.#taken.set(principal, left);
      else this.#taken.delete(principal);
    };
  }
}
