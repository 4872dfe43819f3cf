export function buildZenohDriver(
  say: (text: string) => void,
  env?: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly path: string | undefined; readonly seconds: number }>;
