import {
  type Clock,
  EdgeError,
  LIMITS,
  type MessageValue,
  type Nanoseconds,
  type PictureTensor,
  parseJson,
  type RosServices,
  type Tensor,
  toMs,
} from '../../../contract/core.ts';
import { chunkBody, type VlaRequest } from '../../../formats/inference/index.ts';
import { completionBody, readChatAsk } from '../../../formats/openai/index.ts';
import type { PolicyDoor } from './policy-door.ts';
import type { System2Door } from './system2-door.ts';

export type RosInferenceParts = {
  readonly services: RosServices;
  /** Full name before `/infer`, `/chat`, `/plan`. */
  readonly base: string;
  readonly clock: Clock;
  readonly policies: PolicyDoor;
  readonly system2: System2Door;
};

const CHAT_MS_DEFAULT = 60_000;
/** Our own deadline comes first: ROS has no words for why nothing was answered. */
const SPARE_MS = 2_000;

type Served = { close(): Promise<void> };

/**
 * Inference as ROS services: `<base>/infer`, `<base>/chat`, `<base>/plan` (auraison_interfaces). Every question is
 * answered in words: a service that throws would leave its client waiting. Rejects as `RosServices.serve`.
 */
export async function serveRosInference(parts: RosInferenceParts): Promise<Served> {
  const { services, base, policies, system2, clock } = parts;
  const served: Served[] = [];
  const serve = async (
    name: string,
    type: string,
    timeoutMs: number,
    answer: (request: MessageValue) => Promise<MessageValue>,
  ) => {
    const handle = (request: MessageValue) =>
      answer(request).catch((thrown: unknown) => refusal(thrown, name));
    served.push(
      await services.serve(`${base}/${name}`, `auraison_interfaces/srv/${type}`, handle, {
        timeoutMs: timeoutMs + SPARE_MS,
      }),
    );
  };
  try {
    await serve('infer', 'Infer', LIMITS.POLICY_DEADLINE_MS_MAX, async (request) => {
      const caller = { id: `ros/${name(request['caller'])}`, wire: 'ros' as const, principal: 'anonymous' };
      const chunk = await policies.infer(caller, inferRequest(request, clock.now()));
      // The check that actions are finite is that of the codec.
      chunkBody(chunk, false);
      return {
        ...GOOD,
        actions: { name: 'actions', shape: Uint32Array.from(chunk.actions.shape), data: chunk.actions.data },
        step_ms: chunk.stepMs,
        stamp: timeOf(chunk.stamp),
        policy_hash: chunk.policyHash,
      };
    });
    await serve('chat', 'Chat', LIMITS.CHAT_DEADLINE_MS_MAX, async (request) => {
      const body = jsonOf(request);
      const ask = readChatAsk({ ...body, stream: false, deadline_ms: deadlineOf(request, body) });
      const end = await system2.chat({ id: `ros/${name(request['caller'])}`, call: ask.call }, ask, () => {});
      const created = Math.floor(toMs(clock.now()) / 1_000);
      const whole = completionBody({ id: String(clock.now()), created, model: ask.model }, end);
      return { ...GOOD, text: end.text, response_json: JSON.stringify(whole) };
    });
    await serve('plan', 'Plan', LIMITS.CHAT_DEADLINE_MS_MAX, async (request) => {
      const { deadline_ms: _, call, ...ask } = jsonOf(request);
      const asker = {
        id: `ros/${name(request['caller'])}`,
        call: typeof call === 'string' ? call : undefined,
      };
      const made = await system2.plan(asker, ask, deadlineOf(request, jsonOf(request)));
      return { ...GOOD, response_json: JSON.stringify(made) };
    });
  } catch (error) {
    await closeAll(served);
    throw error;
  }
  return { close: () => closeAll(served) };
}

const GOOD = { success: true, error_code: '', message: '', retryable: false };

function refusal(thrown: unknown, name: string): MessageValue {
  const { code, message, retryable } = EdgeError.from(thrown, 'internal.fault', 'answer service', name);
  return { success: false, error_code: code, message, retryable };
}

async function closeAll(served: readonly Served[]): Promise<void> {
  await Promise.all(served.map((one) => one.close().catch(() => {})));
}

/** Throws `model.bad_observation`, naming the field. */
function inferRequest(request: MessageValue, now: Nanoseconds): VlaRequest {
  const names = request['image_names'] as readonly string[];
  const pictures = request['images'] as readonly MessageValue[];
  if (names.length !== pictures.length)
    throw bad('/image_names', `${names.length} names were given for ${pictures.length} images`);
  const told = request['tensors'] as readonly MessageValue[];
  refuseTooLarge([...told, ...pictures]);
  const tensors = told.map(tensorOf);
  const images = pictures.map((picture, i) => [names[i]!, pictureOf(picture, `/images/${i}`)] as const);
  const stamp = nanosOf(request['stamp'] as { sec: number; nanosec: number });
  const deadlineMs = request['deadline_ms'] as number;
  if (!(deadlineMs >= 0 && deadlineMs <= LIMITS.POLICY_DEADLINE_MS_MAX))
    throw bad('/deadline_ms', `must be from 0 to ${LIMITS.POLICY_DEADLINE_MS_MAX}`);
  const text = (field: string) => (request[field] === '' ? undefined : (request[field] as string));
  const task = text('task');
  return {
    observation: {
      tensors: Object.fromEntries(tensors),
      ...(images.length === 0 ? {} : { images: Object.fromEntries(images) }),
      ...(task === undefined ? {} : { task }),
      stamp: stamp === 0n ? now : stamp,
    },
    deadlineMs: deadlineMs === 0 ? undefined : deadlineMs,
    ...{ policy: text('policy'), session: text('session'), reset: request['reset'] === true },
    ...{ prefix: undefined, call: undefined },
  };
}

/** The limit of the other doors, before anything is copied. */
function refuseTooLarge(parts: readonly MessageValue[]): void {
  const bytes = parts.reduce((sum, { data }) => sum + bytesOf(data), 0);
  const max = LIMITS.POLICY_PAYLOAD_BYTES_MAX;
  if (bytes > max) throw bad('/', `${bytes} bytes, the limit is ${max}`);
}

/** Of pixels and of float32, which some hand over as plain lists. */
function bytesOf(data: unknown): number {
  return ArrayBuffer.isView(data) ? data.byteLength : 4 * ((data as { length?: number }).length ?? 0);
}

function tensorOf({ name, shape, data }: MessageValue, i: number): readonly [string, Tensor] {
  const sizes = Array.from(shape as Iterable<number>);
  const values = Float32Array.from(data as Iterable<number>);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (values.length !== count)
    throw bad(`/tensors/${i}/data`, `has ${values.length} values, but the shape needs ${count}`);
  const odd = values.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw bad(`/tensors/${i}/data/${odd}`, 'observations must be finite');
  return [String(name), { shape: sizes, data: values }];
}

/** sensor_msgs/Image of rgb8 or bgr8, rows as long as their `step` says. */
function pictureOf(image: MessageValue, path: string): PictureTensor {
  const { height, width, step, encoding, data } = image as unknown as {
    height: number;
    width: number;
    step: number;
    encoding: string;
    data: Uint8Array;
  };
  if (encoding !== 'rgb8' && encoding !== 'bgr8')
    throw bad(`${path}/encoding`, `rgb8 or bgr8, not ${encoding.slice(0, 32)}`);
  const row = width * 3;
  if (height < 1 || width < 1 || step < row || data.length < step * (height - 1) + row)
    throw bad(
      `${path}/data`,
      `${data.length} bytes do not fit an image of ${width} x ${height} with rows of ${step} bytes`,
    );
  const pixels = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) pixels.set(data.subarray(y * step, y * step + row), y * row);
  if (encoding === 'bgr8') {
    for (let at = 0; at < pixels.length; at += 3) {
      const blue = pixels[at]!;
      pixels[at] = pixels[at + 2]!;
      pixels[at + 2] = blue;
    }
  }
  return { shape: [height, width, 3], data: pixels };
}

function jsonOf(request: MessageValue): Record<string, unknown> {
  try {
    const value: unknown = parseJson(String(request['request_json']));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new EdgeError('schema.invalid', {
    operation: 'read request',
    subject: 'request_json',
    message: '/request_json: expected a JSON object',
  });
}

/** Of the message, or of the JSON in it. */
function deadlineOf(request: MessageValue, body: Record<string, unknown>): number {
  const asked = request['deadline_ms'] as number;
  const given = asked > 0 ? asked : (body['deadline_ms'] ?? CHAT_MS_DEFAULT);
  if (typeof given === 'number' && given > 0 && given <= LIMITS.CHAT_DEADLINE_MS_MAX) return given;
  throw new EdgeError('schema.invalid', {
    operation: 'read request',
    subject: 'deadline_ms',
    message: `/deadline_ms: must be above 0 and at most ${LIMITS.CHAT_DEADLINE_MS_MAX}`,
  });
}

function name(caller: unknown): string {
  return typeof caller === 'string' && /^[A-Za-z0-9_/][A-Za-z0-9._:@/-]{0,63}$/.test(caller)
    ? caller
    : 'anonymous';
}

function nanosOf({ sec, nanosec }: { sec: number; nanosec: number }): Nanoseconds {
  return BigInt(Math.max(0, sec)) * 1_000_000_000n + BigInt(nanosec);
}

function timeOf(stamp: Nanoseconds): MessageValue {
  return { sec: Number(stamp / 1_000_000_000n), nanosec: Number(stamp % 1_000_000_000n) };
}

function bad(path: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', {
    operation: 'infer',
    subject: path,
    message: `${path}: ${message}`,
  });
}
