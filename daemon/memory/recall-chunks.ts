/** What a network reads at once is some 1,000 characters. */
const CHUNK_CHARS = 1_000;
const CHUNKS_MAX = 2_000;
const HEADING_CHARS_MAX = 200;

/**
 * A document in pieces that are found each for itself: paragraphs together, up to some 1,000 characters, never across a
 * heading. Each starts with the headings that it stands under.
 */
export function chunksOf(document: string): readonly string[] {
  const chunks: string[] = [];
  let headings: string[] = [];
  let body: string[] = [];
  let chars = 0;
  const close = () => {
    const text = body.join('\n\n').trim();
    if (text !== '') chunks.push([headings.join(' > '), text].filter((part) => part !== '').join('\n'));
    body = [];
    chars = 0;
  };
  for (const paragraph of document.replaceAll('\r\n', '\n').split(/\n\s*\n|(?=^#{1,6} )/m)) {
    const found = /^(#{1,6}) +([^\n]*)\n?/.exec(paragraph.trimStart());
    const rest = found ? paragraph.trimStart().slice(found[0].length) : paragraph;
    if (found) {
      close();
      headings = [...headings.slice(0, found[1]!.length - 1), found[2]!.slice(0, HEADING_CHARS_MAX)];
    }
    for (const part of parts(rest)) {
      if (chars + part.length > CHUNK_CHARS) close();
      body.push(part);
      chars += part.length;
      if (chunks.length >= CHUNKS_MAX) return chunks;
    }
  }
  close();
  return chunks;
}

/** A paragraph, cut between words where it is long. */
function parts(paragraph: string): readonly string[] {
  const found: string[] = [];
  let rest = paragraph.trim();
  while (rest.length > CHUNK_CHARS) {
    const space = rest.lastIndexOf(' ', CHUNK_CHARS);
    const at = space > CHUNK_CHARS / 2 ? space : CHUNK_CHARS;
    found.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return rest === '' ? found : [...found, rest];
}
