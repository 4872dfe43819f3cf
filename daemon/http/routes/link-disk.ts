import type { FastifyInstance } from 'fastify';
import { type DiskNext, LIMITS, METHODS } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
/** No disk has as many items, and no item as many parts. */
const NUMBER_MAX = 2 ** 31 - 1;
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Session = Type.String({ maxLength: 64, description: 'the export, as it was opened' });
const OpenBody = Type.Object(
  {
    lanes: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        maxItems: 16,
        description: 'events, clips, …; none: all',
      }),
    ),
    all: Type.Optional(Type.Boolean({ description: 'also what central has receipts for' })),
  },
  closed,
);
const OpenedView = Type.Object(
  {
    session: Session,
    robot: Type.String(),
    events: Count('events that may go'),
    files: Count('files that may go'),
    file_bytes: Count('bytes of these files'),
  },
  closed,
);
const SessionBody = Type.Object({ session: Session }, closed);
const NextView = Type.Object(
  {
    state: Type.Enum(['working', 'item', 'end']),
    read: Type.Optional(Count('bytes of the next file that were read')),
    item: Type.Optional(
      Type.Object(
        {
          number: Count('from 1'),
          lane: Type.String(),
          name: Type.String(),
          bytes: Count('of all its pieces but the tree'),
          events: Count('events in it'),
          piece: Type.Optional(Type.String({ description: 'the only piece' })),
          tree: Type.Optional(
            Type.String({ description: 'piece with the leaves of a file of several parts' }),
          ),
          part_bytes: Type.Optional(Count('of each part but the last')),
        },
        closed,
      ),
    ),
    left: Type.Optional(
      Type.Array(
        Type.Object(
          {
            lane: Type.String(),
            events: Count('events that stay'),
            files: Count('files that stay'),
            bytes: Count('of these files'),
            reason: Type.String({ description: 'why they stay: a policy, a damaged file, a full list' }),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);
const PieceQuery = Type.Object(
  {
    session: Session,
    item: Type.Integer({ minimum: 1, maximum: NUMBER_MAX, description: 'the last one' }),
    part: Type.Integer({ minimum: -1, maximum: NUMBER_MAX, description: 'from 0; -1: the tree' }),
  },
  closed,
);
const SignBody = Type.Object(
  {
    session: Session,
    items: Type.Integer({ minimum: 0, maximum: NUMBER_MAX, description: 'items that are on the disk' }),
  },
  closed,
);
const ReceiptsBody = Type.Object(
  { receipts: Type.Unknown({ description: 'one file of the folder receipts' }) },
  closed,
);
const TakenView = Type.Object(
  {
    lanes: Type.Array(Type.Object({ lane: Type.String(), seq: Count('acknowledged up to here') }, closed)),
    files: Count('files that central holds, new to this robot'),
    known: Count('receipts that this robot had'),
    foreign: Count('receipts about what this robot does not have'),
    refused: Type.Array(
      Type.Object({ what: Type.String(), code: Type.String(), message: Type.String() }, closed),
    ),
    refused_more: Count('refusals beyond those'),
  },
  closed,
);
const BYTES = 'application/octet-stream';
const bytes = (description: string) => ({
  description,
  content: { [BYTES]: { schema: Type.String({ format: 'binary' }) } },
});

/** Exports to a removable disk: the client writes what the link gives it. Only an operator gets a session. */
export function linkDiskRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.post(
    '/v1/link/disk',
    {
      schema: {
        operationId: 'openDiskExport',
        summary: 'Start an export of what central does not hold to a removable disk; ends one before it',
        tags: ['link'],
        body: OpenBody,
        response: { 200: OpenedView, ...errors },
      },
    },
    async (request) => {
      const { lanes = [], all = false } = request.body as Static<typeof OpenBody>;
      return await bus.request('link', METHODS.link.diskOpen, { lanes, all });
    },
  );
  app.post(
    '/v1/link/disk/next',
    {
      schema: {
        operationId: 'nextDiskItem',
        summary: 'What comes next on the disk; working: ask again',
        tags: ['link'],
        body: SessionBody,
        response: { 200: NextView, ...errors },
      },
    },
    async (request): Promise<DiskNext> =>
      await bus.request('link', METHODS.link.diskNext, request.body as Static<typeof SessionBody>),
  );
  app.get(
    '/v1/link/disk/piece',
    {
      schema: {
        operationId: 'readDiskPiece',
        summary: 'A piece of the last item, named by SHA-256(0x00, bytes)',
        tags: ['link'],
        querystring: PieceQuery,
        response: { 200: bytes('the piece'), ...errors },
      },
    },
    async (request, reply) => {
      const query = request.query as Static<typeof PieceQuery>;
      const { bytes: piece } = await bus.request('link', METHODS.link.diskPiece, query);
      return reply.type(BYTES).send(Buffer.from(piece));
    },
  );
  app.post(
    '/v1/link/disk/manifest',
    {
      schema: {
        operationId: 'signDiskManifest',
        summary: 'The signed list of the first items of an export, which are on the disk',
        tags: ['link'],
        body: SignBody,
        response: { 200: bytes('the manifest, JSON'), ...errors },
      },
    },
    async (request, reply) => {
      const body = request.body as Static<typeof SignBody>;
      const { manifest } = await bus.request('link', METHODS.link.diskSign, body);
      return reply.type(BYTES).send(Buffer.from(manifest));
    },
  );
  app.post(
    '/v1/link/disk/receipts',
    {
      bodyLimit: LIMITS.API_BODY_BYTES_MAX,
      schema: {
        operationId: 'takeDiskReceipts',
        summary:
          'Receipts of central that a disk brought back; what they are about may be deleted from then on',
        tags: ['link'],
        body: ReceiptsBody,
        response: { 200: TakenView, ...errors },
      },
    },
    async (request) =>
      await bus.request('link', METHODS.link.diskReceipts, request.body as Static<typeof ReceiptsBody>),
  );
}
