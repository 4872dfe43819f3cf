import type { Qos } from '../../contract/index.ts';

/** rosbag2 wrote numbers before Iron and names since; `1` and `2` differ in meaning by policy. */
const NAMES = {
  history: { '1': 'keep_last', '2': 'keep_all', keep_last: 'keep_last', keep_all: 'keep_all' },
  reliability: { '1': 'reliable', '2': 'best_effort', reliable: 'reliable', best_effort: 'best_effort' },
  durability: {
    '1': 'transient_local',
    '2': 'volatile',
    transient_local: 'transient_local',
    volatile: 'volatile',
  },
} as const;

/** The first of the offered profiles, from the YAML text of a bag; undefined when there is none. */
export function parseQos(yaml: string): Qos | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`(?:^|\\n)[-\\s]*${name}:\\s*([A-Za-z_0-9]+)`).exec(yaml)?.[1];
  const of = <P extends keyof typeof NAMES>(policy: P) =>
    (NAMES[policy] as unknown as Readonly<Record<string, Qos[P]>>)[field(policy) ?? ''];
  const reliability = of('reliability');
  const durability = of('durability');
  if (!reliability || !durability) return undefined;
  const depth = Number(field('depth') ?? 0);
  return { reliability, durability, history: of('history') ?? 'keep_last', depth: depth > 0 ? depth : 10 };
}
