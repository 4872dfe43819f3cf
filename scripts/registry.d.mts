export function registryFault(
  env?: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly registry: string; readonly reason: string } | undefined>;
