/** Keys that control a playback from the terminal. */
export type PlayKey =
  | { readonly action: 'toggle' }
  | { readonly action: 'skip'; readonly seconds: number }
  | { readonly action: 'rate'; readonly factor: number }
  | { readonly action: 'stop' };

const KEYS: Readonly<Record<string, PlayKey>> = {
  ' ': { action: 'toggle' },
  '\x1b[C': { action: 'skip', seconds: 5 },
  '\x1b[D': { action: 'skip', seconds: -5 },
  '\x1b[A': { action: 'rate', factor: 2 },
  '\x1b[B': { action: 'rate', factor: 0.5 },
  q: { action: 'stop' },
  '\x03': { action: 'stop' },
};

export const KEYS_HELP = 'space: pause, left and right: 5 s, up and down: rate, q: stop';

export function keyOf(input: string): PlayKey | undefined {
  return KEYS[input];
}

/** Reads single keys where standard input is a terminal; the returned function restores the terminal. */
export function listenForKeys(onKey: (key: PlayKey) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  const listen = (data: Buffer) => {
    const key = keyOf(data.toString('latin1'));
    if (key) onKey(key);
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on('data', listen);
  return () => {
    stdin.off('data', listen);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
