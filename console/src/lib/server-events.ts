type Message = {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
};

/** Pieces of a body of text, as they come. */
export async function readPieces(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  end: string,
  take: (piece: string) => void,
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split(end);
    rest = pieces.pop()!;
    for (const piece of pieces) take(piece);
  }
}

/** Messages of a body of server-sent events, as they come. */
export function readMessages(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (message: Message) => void,
): Promise<void> {
  return readPieces(body, '\n\n', (text) => {
    const rows = text.split('\n');
    const field = (name: string) => rows.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    take({ id: field('id'), event: field('event'), data: field('data') });
  });
}
