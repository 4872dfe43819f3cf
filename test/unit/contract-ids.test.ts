import { expect, it } from 'vitest';
import { IdSource, isUuidv7 } from '../../contract/index.ts';

const random = (length: number) => new Uint8Array(length).fill(0xab);

it('makes valid UUIDv7 that carry their time', () => {
  const id = new IdSource(() => 1_700_000_000_123, random).next();
  expect(isUuidv7(id)).toBe(true);
  expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(1_700_000_000_123);
});

it('makes ids that rise also when the clock stands still, steps back, or thousands are made at once', () => {
  let now = 5_000;
  const ids = new IdSource(() => now, random);
  const made: string[] = [];
  for (let i = 0; i < 10_000; i++) {
    if (i === 5_000) now = 10;
    made.push(ids.next());
  }
  expect(new Set(made).size).toBe(made.length);
  expect([...made].sort()).toEqual(made);
});
