import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';

const TEXT_BYTES = 64;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/** What the host says of the thread that asks. `waitedMs`: how long it was ready and had no processor, in all. */
export type ThreadView = { readonly tid: number; waitedMs(): number; close(): void };

/**
 * Of Linux, by /proc/thread-self, without searching: its `schedstat` holds the time on a processor, the time ready
 * and waiting for one (nanoseconds, both), and how often it was given one. Where that file does not exist: tid 0, and
 * always 0.
 */
export function viewThisThread(): ThreadView {
  try {
    const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    const file = openSync('/proc/thread-self/schedstat', 'r');
    const text = new Uint8Array(TEXT_BYTES);
    return {
      tid: Number.isSafeInteger(tid) ? tid : 0,
      waitedMs: () => second(text, readSync(file, text, 0, TEXT_BYTES, 0)) / 1e6,
      close: () => closeSync(file),
    };
  } catch {
    return { tid: 0, waitedMs: () => 0, close: () => {} };
  }
}

/** The second number of a line, read without making a string: this is done at every step. */
function second(text: Uint8Array, length: number): number {
  let value = 0;
  let spaces = 0;
  for (let i = 0; i < length; i++) {
    const byte = text[i]!;
    if (byte === SPACE) spaces++;
    else if (spaces === 1 && byte >= ZERO && byte <= NINE) value = value * 10 + (byte - ZERO);
    if (spaces === 2) break;
  }
  return value;
}
