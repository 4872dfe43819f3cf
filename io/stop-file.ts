import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * Leaves the file that stops the robot of a data directory, with words for people in it. On a full disk it stays empty,
 * and still stops the robot: only the words are lost. Throws where the file cannot be made at all.
 */
export function leaveStopFile(path: string, words: string): void {
  const file = openSync(path, 'w');
  try {
    writeSync(file, `${words}\n`);
  } catch {
    // It is there: that is what stops.
  } finally {
    closeSync(file);
  }
}
