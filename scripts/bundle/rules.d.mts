export type BundleTarget = {
  readonly arch: string;
  readonly zeromq: string | undefined;
  readonly gpu: boolean;
};
export function reasonToLeave(path: string, target: BundleTarget): string | undefined;
export function zeromqAddon(folders: readonly string[], abi: number, libc: string): string | undefined;
