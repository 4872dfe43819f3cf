import { checker } from '../../contract/check.ts';
import { type AppFault, Type } from '../../contract/index.ts';
import { tomlOf } from '../../daemon/config.ts';
import type { GoodPackage } from './read.ts';

const closed = { additionalProperties: false } as const;
const Cases = Type.Object(
  {
    cases: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 128 }),
          intent: Type.String({ maxLength: 128 }),
          params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          status: Type.Optional(Type.Enum(['succeeded', 'failed', 'cancelled'])),
          /** Words that the reason has. */
          reason: Type.Optional(Type.String({ maxLength: 256 })),
          moved_min: Type.Optional(Type.Number({ minimum: 0, description: 'metres by the odometer' })),
          moved_max: Type.Optional(Type.Number({ minimum: 0, description: 'metres by the odometer' })),
          /** Tools that were called and answered. */
          calls: Type.Optional(Type.Array(Type.String(), { maxItems: 64 })),
          deadline_s: Type.Optional(Type.Number({ minimum: 1, maximum: 3_600 })),
        },
        closed,
      ),
      { minItems: 1, maxItems: 256 },
    ),
  },
  closed,
);
const casesChecker = checker(Cases);

export type AppCase = {
  readonly file: string;
  readonly name: string;
  readonly intent: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly status?: 'succeeded' | 'failed' | 'cancelled';
  readonly reason?: string;
  readonly moved_min?: number;
  readonly moved_max?: number;
  readonly calls?: readonly string[];
  readonly deadline_s?: number;
};

/** The declared cases of a package (`tests/*.toml`), and what is wrong with invalid ones. */
export function casesOf({ pkg }: GoodPackage): {
  readonly cases: readonly AppCase[];
  readonly faults: readonly AppFault[];
} {
  const types = pkg.manifest.intents.map(({ type }) => type);
  const cases: AppCase[] = [];
  const faults: AppFault[] = [];
  for (const { path, bytes } of pkg.files) {
    if (!/^tests\/[^/]+\.toml$/.test(path)) continue;
    try {
      const value = tomlOf(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
      const fault = casesChecker.fault(value);
      if (fault !== undefined) faults.push({ file: path, problem: fault });
      else for (const one of casesChecker.parse(value, path).cases) cases.push({ ...one, file: path });
    } catch (thrown) {
      faults.push({ file: path, problem: (thrown as Error).message.split('\n')[0]! });
    }
  }
  for (const { file, name, intent } of cases)
    if (!types.includes(intent))
      faults.push({ file, key: name, problem: `${intent} is not among its intents: ${types.join(', ')}` });
  return { cases, faults };
}
