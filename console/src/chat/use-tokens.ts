import { useEffect, useRef, useState } from 'react';
import { call } from '../lib/api.ts';
import { readPieces } from '../lib/server-events.ts';

const AGAIN_MS = 1500;
/** A stream ends after this, and is opened again: no page holds a connection for good. */
const STREAM_MS = 120_000;

export type Tokens = {
  /** Text since the stream was opened. */
  readonly text: string;
  readonly thinking: boolean;
  /** Answers that were whole in the events when this text started. */
  readonly saidBefore: number;
};

/** Text of an agent while it comes. The stream is let go of while the page is hidden and before a stop. */
export function useTokens(id: string, open: boolean, said: number): Tokens {
  const [tokens, setTokens] = useState<Tokens>({ text: '', thinking: false, saidBefore: 0 });
  const known = useRef(said);
  known.current = said;
  useEffect(() => {
    if (!open) return;
    const gone = new AbortController();
    const follow = async () => {
      while (!gone.signal.aborted) {
        await stream(id, gone.signal, known, setTokens).catch(() => {});
        if (gone.signal.aborted) return;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void follow();
    return () => gone.abort();
  }, [id, open]);
  return tokens;
}

async function stream(
  id: string,
  signal: AbortSignal,
  known: { readonly current: number },
  set: (tokens: Tokens) => void,
): Promise<void> {
  const response = await call(`/v1/sessions/${encodeURIComponent(id)}/tokens`, {
    signal,
    answerMs: STREAM_MS,
  });
  if (!response.ok || !response.body) throw new Error(`tokens: ${response.status}`);
  let text = '';
  let saidBefore = known.current;
  let thinking = false;
  let drawn = false;
  // Many tokens are one drawing.
  const draw = () => {
    if (drawn) return;
    drawn = true;
    setTimeout(() => {
      drawn = false;
      if (!signal.aborted) set({ text, thinking, saidBefore });
    }, 50);
  };
  const restart = () => {
    text = '';
    saidBefore = known.current;
  };
  restart();
  await readPieces(response.body, '\n', (line) => {
    if (line === '') return;
    const piece = JSON.parse(line) as { kind: 'text' | 'thinking' | 'gap'; text?: string };
    if (piece.kind === 'gap') restart();
    // A new answer: the events have the one before.
    if (known.current > saidBefore) restart();
    thinking = piece.kind === 'thinking';
    if (piece.kind === 'text') text += piece.text ?? '';
    draw();
  });
}
