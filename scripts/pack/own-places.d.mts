export function packedName(source: string): string;
export function programsOf(source: string, text: string): string[];
export function withOwnPlace(source: string, text: string, isEntry: (source: string) => boolean): string;
