export function sourcesOf(): string[];
export function entriesOf(sources: readonly string[]): string[];
export function pack(options: { out: string; up: string }): Promise<void>;
