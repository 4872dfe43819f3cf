export function contentFaults(folder: string, arch: string): string[];
