export type Lock = {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string;
        readonly integrity?: string;
        readonly resolved?: string;
        readonly dev?: boolean;
        readonly optional?: boolean;
        readonly libc?: readonly string[];
        readonly os?: readonly string[];
        readonly optionalDependencies?: Readonly<Record<string, string>>;
      }
    >
  >;
};
export function lockFaults(lock: Lock): string[];
