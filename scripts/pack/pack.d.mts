export function sourcesOf(from?: string): string[];
export function entriesOf(sources: readonly string[], from?: string): string[];
export function pack(options: { out: string; up: string }): Promise<unknown>;
