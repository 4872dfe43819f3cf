import type { FastifyInstance } from 'fastify';
import { type CallAsk, type ExecutionCall, LIMITS, METHODS, UUID_PATTERN } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { askExecution } from '../ask-execution.ts';
import type { HttpPorts } from '../http-ports.ts';
import { CancelBody, Done, errors, NoQuery } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Span = (description: string) =>
  Type.Optional(Type.Number({ minimum: 0, maximum: LIMITS.CLIP_SPAN_MS_MAX, description }));

const ClipBody = Type.Object(
  {
    reason: Type.Optional(Type.String({ maxLength: 512, description: 'why, for the log' })),
    pre_ms: Span('before now, milliseconds; absent: recorder.clip_pre'),
    post_ms: Span('after now, milliseconds; absent: recorder.clip_post'),
    wait: Type.Optional(Type.Boolean({ description: 'answer when the clip is whole' })),
  },
  closed,
);
const ClipView = Type.Object(
  {
    clip_id: Type.String(),
    bag: Type.String(),
    state: Type.Enum(['recording', 'whole']),
    trigger: Type.String(),
    reason: Type.String(),
    trigger_ns: Type.String(),
    from_ns: Type.String(),
    to_ns: Type.String(),
    messages: Type.Integer(),
    bytes: Type.Integer(),
    path: Type.Optional(
      Type.String({ description: 'of its file, relative to the data directory; once whole' }),
    ),
    sha256: Type.Optional(Type.String()),
  },
  closed,
);

const label = {
  label: Type.Optional(Type.String({ maxLength: 256, description: 'what was attempted' })),
  success: Type.Optional(Type.Boolean({ description: 'whether it was achieved' })),
};
const LabelBody = Type.Object(label, closed);
const EpisodeParams = Type.Object({ id: Type.String({ pattern: UUID_PATTERN }) }, closed);
const EpisodeView = Type.Object(
  {
    episode_id: Type.String(),
    bag: Type.String(),
    state: Type.Enum(['recording', 'whole']),
    label: Type.String(),
    success: Type.Optional(Type.Boolean()),
    start_ns: Type.String(),
    end_ns: Type.String(),
    messages: Type.Integer(),
    bytes: Type.Integer(),
    segments: Type.Array(Type.Object({ path: Type.String(), sha256: Type.String() }, closed)),
  },
  closed,
);

/** Seals, clips and episodes of the recorder. */
export function recordingRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  const { execution } = METHODS;
  // The recorder itself reports when it makes no progress; hashing a large segment may take its time.
  const ask = <N extends ExecutionCall>(method: N, body: CallAsk<N>) =>
    askExecution(bus, method, body, LIMITS.RECORDER_REQUEST_MS);
  const describe = (operationId: string, summary: string, more: object) => ({
    schema: { operationId, summary, tags: ['recorder'], ...more },
  });

  app.post(
    '/v1/recorder/seal',
    describe('sealSegment', 'Seal the open segment of the recording and start a new one', {
      body: CancelBody,
      response: { 200: Done, ...errors },
    }),
    async () => ({ ok: true, result: await ask(execution.recordSeal, {}) }),
  );

  app.post(
    '/v1/recorder/clip',
    describe('recordClip', 'Keep what happened around now as a recording of its own', {
      body: ClipBody,
      response: { 201: ClipView, ...errors },
    }),
    async (request, reply) => {
      const { reason = '', pre_ms, post_ms, wait } = request.body as Static<typeof ClipBody>;
      const order = {
        trigger: 'api',
        reason,
        ...(pre_ms === undefined ? {} : { preMs: pre_ms }),
        ...(post_ms === undefined ? {} : { postMs: post_ms }),
        ...(wait === undefined ? {} : { wait }),
      };
      return reply.code(201).send(await ask(execution.clipRecord, order));
    },
  );

  app.get(
    '/v1/recorder/clips',
    describe('listClips', 'All clips of this robot, oldest first', {
      querystring: NoQuery,
      response: { 200: Type.Object({ clips: Type.Array(ClipView) }, closed), ...errors },
    }),
    async () => ({ clips: await ask(execution.clipList, {}) }),
  );

  app.get(
    '/v1/episodes',
    describe('listEpisodes', 'All episodes of this robot, oldest first', {
      querystring: NoQuery,
      response: { 200: Type.Object({ episodes: Type.Array(EpisodeView) }, closed), ...errors },
    }),
    async () => ({ episodes: await ask(execution.episodeList, {}) }),
  );

  app.post(
    '/v1/episodes',
    describe('startEpisode', 'Start an episode: from now on samples are recorded', {
      body: LabelBody,
      response: { 201: EpisodeView, ...errors },
    }),
    async (request, reply) =>
      reply.code(201).send(await ask(execution.episodeStart, request.body as Static<typeof LabelBody>)),
  );

  app.post(
    '/v1/episodes/stop',
    describe('stopEpisode', 'End the episode that is recorded; when this answers it is whole and durable', {
      body: LabelBody,
      response: { 200: EpisodeView, ...errors },
    }),
    async (request) => ask(execution.episodeStop, request.body as Static<typeof LabelBody>),
  );

  app.post(
    '/v1/episodes/discard',
    describe('discardRunningEpisode', 'Throw away the episode that is recorded', {
      body: CancelBody,
      response: { 200: Done, ...errors },
    }),
    async (request) => {
      const { reason = 'asked for through the API' } = request.body as Static<typeof CancelBody>;
      await ask(execution.episodeDiscard, { reason });
      return { ok: true };
    },
  );

  app.post(
    '/v1/episodes/:id/discard',
    describe('discardEpisode', 'Throw away an episode; its files go, a tombstone stays', {
      params: EpisodeParams,
      body: CancelBody,
      response: { 200: Done, ...errors },
    }),
    async (request) => {
      const { reason = 'asked for through the API' } = request.body as Static<typeof CancelBody>;
      const { id } = request.params as Static<typeof EpisodeParams>;
      await ask(execution.episodeDiscard, { episode_id: id, reason });
      return { ok: true };
    },
  );

  app.post(
    '/v1/episodes/:id/relabel',
    describe('relabelEpisode', 'Give an episode another label, or say whether it succeeded', {
      params: EpisodeParams,
      body: LabelBody,
      response: { 200: EpisodeView, ...errors },
    }),
    async (request) => {
      const { id } = request.params as Static<typeof EpisodeParams>;
      const order = { ...(request.body as Static<typeof LabelBody>), episode_id: id };
      return ask(execution.episodeRelabel, order);
    },
  );
}
