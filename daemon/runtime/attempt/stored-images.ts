import {
  type BlobStore,
  EdgeError,
  LIMITS,
  LOOK_LIMITS,
  type StoredImage,
  type ToolAnswer,
  type ToolReturn,
} from '../../../contract/index.ts';

/**
 * Reads an image that another cell stored: once, and against its hash and size. Rejects with `tool.failed` where it is
 * too large, has another size, or is no longer there, and with `log.damaged` where its bytes are others.
 */
export async function readStored(
  blobs: Pick<BlobStore, 'get'>,
  { sha256, bytes }: StoredImage,
  tool: string,
): Promise<Uint8Array> {
  if (bytes > LOOK_LIMITS.IMAGE_BYTES_MAX)
    throw tooMuch(tool, `an image of ${bytes} bytes`, LOOK_LIMITS.IMAGE_BYTES_MAX);
  const data = await blobs.get(sha256);
  if (data?.byteLength === bytes) return data;
  throw new EdgeError('tool.failed', {
    ...{ operation: 'read image', subject: tool, retryable: true },
    message: data
      ? `expected an image of ${bytes} bytes, found ${data.byteLength}`
      : `the image ${sha256.slice(0, 64)} is no longer in the blob store`,
    hint: 'call it again',
  });
}

/** The answer with the bytes of all images, for callers outside of a run. Rejects as `readStored`. */
export async function wholeAnswer(
  blobs: Pick<BlobStore, 'get'>,
  { result, images = [], stored = [] }: ToolReturn,
  tool: string,
): Promise<ToolAnswer> {
  const count = images.length + stored.length;
  if (count === 0) return { result };
  if (count > LIMITS.TOOL_RESULT_IMAGES_MAX)
    throw tooMuch(tool, `${count} images`, LIMITS.TOOL_RESULT_IMAGES_MAX);
  const read = [...images];
  for (const image of stored) read.push({ mime: image.mime, data: await readStored(blobs, image, tool) });
  return { result, images: read };
}

export function tooMuch(tool: string, what: string, most: number): EdgeError {
  return new EdgeError('tool.failed', {
    ...{ operation: 'keep result', subject: tool, retryable: false },
    message: `its result has ${what}, at most ${most} are allowed`,
    hint: 'it was done, and only what it gave is left out: ask it for less at a time',
  });
}
