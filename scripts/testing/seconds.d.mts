/** How long each longer file took in a whole run, seconds. */
export function secondsOfFiles(): Record<string, number>;
