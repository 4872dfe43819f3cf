/** The body of an answer as text, cut at `bytesMax`: what is beyond it is not read. */
export async function boundedText(response: Response, bytesMax: number): Promise<string> {
  if (response.body === null) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.byteLength;
    if (bytes > bytesMax) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
