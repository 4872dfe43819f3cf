export type { LanguageModel, ModelAnswer, ModelDelta, ModelRequest } from '../../contract/index.ts';

/** A hang is a failure here, not of the whole file. */
export async function settlesWithin(ms: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
