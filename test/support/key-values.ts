export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (value: { payload: Uint8Array }) => new TextDecoder().decode(value.payload);
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits for what the other side will do soon. */
export async function eventually(check: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 5_000;
  while (!check()) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await sleep(2);
  }
}
