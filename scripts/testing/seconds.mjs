// How long the files took in a whole run: what longest-first.mjs reads, once it is copied to seconds.json.
/** Shorter files need no place in the order, seconds. */
const LONG_S = 3;

export function secondsOf(lanes) {
  const files = lanes.flatMap(({ report }) => report?.files ?? []).filter(({ seconds }) => seconds >= LONG_S);
  files.sort((a, b) => a.file.localeCompare(b.file));
  return `${JSON.stringify(Object.fromEntries(files.map(({ file, seconds }) => [file, seconds])), null, 2)}\n`;
}
