import {
  type BlobStore,
  EdgeError,
  type Tool,
  type ToolImage,
  type ToolScope,
  type VideoClip,
  type WorldPredictor,
  type WorldReasoner,
  type WorldTransfer,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Words } from './kit.ts';

const PROMPT_CHARS = 4_000;
const Sha256 = (description: string) =>
  Type.String({ pattern: '^[0-9a-f]{64}$', description: `${description}: SHA-256 of a blob of this robot` });
const Seed = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'repeats a film' }),
);
/** Beyond the time of the service: blobs and the log, milliseconds. */
const GRACE_MS = 10_000;
const SCORE_MAX = 10;

/** What is asked of a film: how promising the way is, and whether it is one. */
const JUDGEMENT = {
  type: 'object',
  properties: {
    score: { type: 'integer', minimum: 0, maximum: SCORE_MAX },
    blocked: { type: 'boolean' },
    why: { type: 'string', maxLength: 300 },
  },
  required: ['score', 'blocked', 'why'],
  additionalProperties: false,
} as const;

export type ForesightParts = {
  readonly predictor: WorldPredictor | undefined;
  readonly transfer: WorldTransfer | undefined;
  readonly reasoner: WorldReasoner | undefined;
  readonly blobs: BlobStore;
  readonly times: { readonly predictMs: number; readonly transferMs: number; readonly reasonMs: number };
  /** Whether this may leave the robot; rejects with `policy.denied`. */
  readonly egress: (
    scope: ToolScope,
    subject: string,
    facts: Readonly<Record<string, unknown>>,
  ) => Promise<void>;
};

/** Futures as tools: each call is judged, logged and bounded, and what leaves the robot is judged as that. */
export function foresightTools(parts: ForesightParts): readonly Tool[] {
  const { predictor, transfer, reasoner } = parts;
  return [
    ...(predictor ? [predictTool(parts, predictor)] : []),
    ...(transfer ? [transferTool(parts, transfer)] : []),
    ...(reasoner ? [reasonTool(parts, reasoner)] : []),
  ];
}

function predictTool(parts: ForesightParts, predictor: WorldPredictor): Tool {
  const { predictMs } = parts.times;
  return houseTool({
    name: 'world.predict',
    description:
      'A film of what may be seen next, from an image and words. Imagined: nothing of it has happened.',
    input: Type.Object(
      {
        picture_sha256: Sha256('picture'),
        prompt: Words(PROMPT_CHARS, 'what happens in the film'),
        seed: Seed,
      },
      closed,
    ),
    effect: 'write',
    replay: 'safe',
    deadlineMs: predictMs + GRACE_MS,
    run: async ({ picture_sha256, prompt, seed }, scope) => {
      const from = await pictureOf(parts, picture_sha256);
      await parts.egress(scope, 'cosmos.predict', { sha256: picture_sha256, bytes: from.data.byteLength });
      const video = await predictor.predict({
        ...{ prompt, from, deadlineMs: predictMs, signal: scope.signal },
        ...(seed === undefined ? {} : { seed }),
      });
      return { result: await kept(parts, video) };
    },
  });
}

function transferTool(parts: ForesightParts, transfer: WorldTransfer): Tool {
  const { transferMs } = parts.times;
  return houseTool({
    name: 'world.transfer',
    description: 'The same film as it would look for real, its edges or shapes kept.',
    input: Type.Object(
      {
        video_sha256: Sha256('film'),
        prompt: Words(PROMPT_CHARS, 'how it looks'),
        control: Type.Optional(
          Type.Enum(['edge', 'blur'], { description: 'what is kept; edge where absent' }),
        ),
        seed: Seed,
      },
      closed,
    ),
    effect: 'write',
    replay: 'safe',
    deadlineMs: transferMs + GRACE_MS,
    run: async ({ video_sha256, prompt, control, seed }, scope) => {
      const video = await videoOf(parts, video_sha256);
      await parts.egress(scope, 'cosmos.transfer', { sha256: video_sha256, bytes: video.data.byteLength });
      const made = await transfer.transfer({
        ...{ prompt, video, control: control ?? 'edge', deadlineMs: transferMs, signal: scope.signal },
        ...(seed === undefined ? {} : { seed }),
      });
      return { result: await kept(parts, made) };
    },
  });
}

function reasonTool(parts: ForesightParts, reasoner: WorldReasoner): Tool {
  const { reasonMs } = parts.times;
  return houseTool({
    name: 'world.reason',
    description: `How promising what an image or a film shows is, 0 to ${SCORE_MAX}, whether the way is blocked, and why.`,
    input: Type.Object(
      {
        question: Words(PROMPT_CHARS, 'what is to be judged'),
        picture_sha256: Type.Optional(Sha256('picture')),
        video_sha256: Type.Optional(Sha256('film')),
      },
      closed,
    ),
    effect: 'write',
    replay: 'safe',
    deadlineMs: reasonMs + GRACE_MS,
    run: async ({ question, picture_sha256, video_sha256 }, scope) => {
      const images = picture_sha256 === undefined ? [] : [await pictureOf(parts, picture_sha256)];
      const video = video_sha256 === undefined ? undefined : await videoOf(parts, video_sha256);
      await parts.egress(scope, 'cosmos.reason', {
        ...(picture_sha256 === undefined ? {} : { picture_sha256 }),
        ...(video_sha256 === undefined ? {} : { video_sha256 }),
      });
      const { json, modelId, tokensIn, tokensOut } = await reasoner.reason({
        ...{ prompt: question, images, answerSchema: JUDGEMENT, deadlineMs: reasonMs, signal: scope.signal },
        ...(video ? { video } : {}),
      });
      const answer = json as { readonly score: number; readonly blocked: boolean; readonly why: string };
      return {
        result: { ...answer, model_id: modelId.slice(0, 256), tokens_in: tokensIn, tokens_out: tokensOut },
      };
    },
  });
}

async function kept({ blobs }: ForesightParts, { data }: VideoClip): Promise<Record<string, unknown>> {
  return { video_sha256: await blobs.put(data), bytes: data.byteLength };
}

async function pictureOf({ blobs }: ForesightParts, sha256: string): Promise<ToolImage> {
  const data = await blobs.get(sha256);
  if (!data) throw unknownBlob(sha256);
  const png = data[0] === 0x89 && data[1] === 0x50;
  return { mime: png ? 'image/png' : 'image/jpeg', data };
}

async function videoOf({ blobs }: ForesightParts, sha256: string): Promise<VideoClip> {
  const data = await blobs.get(sha256);
  if (!data) throw unknownBlob(sha256);
  return { mime: 'video/mp4', data };
}

function unknownBlob(sha256: string): EdgeError {
  return new EdgeError('tool.failed', {
    operation: 'find blob',
    subject: sha256,
    message: 'this robot holds no such image or film',
    retryable: false,
  });
}
