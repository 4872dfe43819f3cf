/** All files of tests with peers but those that run alone, from the root. */
export function peerFiles(): string[];
