import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTimeTable } from '../../adapters/cron/cron-time-table.ts';

function times(cron: string, zone: string, from: string, count: number): string[] {
  const table = readTimeTable(cron, zone);
  const found: string[] = [];
  let at = table.next(Date.parse(from));
  while (at !== undefined && found.length < count) {
    found.push(new Date(at).toISOString().slice(0, 16));
    at = table.next(at);
  }
  return found;
}

describe('when clocks are changed', () => {
  it('runs a time that is left out later by what was left out, once', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T01:30',
      '2026-03-30T00:30',
    ]);
    expect(times('0,30 2 * * *', 'America/New_York', '2026-03-08T00:00Z', 3)).toEqual([
      '2026-03-08T07:00',
      '2026-03-08T07:30',
      '2026-03-09T06:00',
    ]);
    // Half an hour only.
    expect(times('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', 2)).toEqual([
      '2026-10-03T15:45',
      '2026-10-04T15:15',
    ]);
  });

  it('runs a time that comes twice the first time only', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  it('runs what is due each hour in every hour that passes', () => {
    expect(times('0 * * * *', 'Europe/Berlin', '2026-10-24T23:00Z', 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T01:00',
      '2026-10-25T02:00',
      '2026-10-25T03:00',
    ]);
    expect(times('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:00Z', 4)).toEqual([
      '2026-03-29T00:30',
      '2026-03-29T01:00',
      '2026-03-29T01:30',
      '2026-03-29T02:00',
    ]);
  });
});

describe('expressions', () => {
  it('may have seconds, names and days that come every four years, or never', () => {
    expect(times('*/20 * * * * *', 'UTC', '2026-01-01T00:00:01Z', 3)).toHaveLength(3);
    expect(times('@daily', 'Asia/Tokyo', '2026-01-01T00:00Z', 1)).toEqual(['2026-01-01T15:00']);
    expect(times('0 0 29 2 *', 'UTC', '2026-01-01T00:00Z', 2)).toEqual([
      '2028-02-29T00:00',
      '2032-02-29T00:00',
    ]);
    expect(times('0 0 30 2 *', 'UTC', '2026-01-01T00:00Z', 1)).toEqual([]);
    expect(times('0 9 * * MON-FRI', 'UTC', '2026-11-20T10:00Z', 1)).toEqual(['2026-11-23T09:00']);
  });

  it('that mean nothing are refused with what is wrong', () => {
    expect(() => readTimeTable('61 * * * *', 'UTC')).toThrow(/minute/);
    expect(() => readTimeTable('* * * *', 'UTC')).toThrow();
    expect(() => readTimeTable('0 3 * * *', 'Mars/Olympus')).toThrow(/Mars/);
  });
});

/** Every zone whose changes differ in kind: none, an hour north and south, half an hour, midnight, two in one month. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Asia/Kolkata',
];
const CRONS = [
  '0 * * * *',
  '*/7 * * * *',
  '30 2 * * *',
  '15 0 * * *',
  '0 0,12 * * *',
  '45 1-3 * * *',
  '0 3 * * SUN',
];

it('goes forwards only, and finds from anywhere between two times the second of them', () => {
  const from = Date.parse('2026-01-01T00:00Z');
  const year = 400 * 86_400_000;
  fc.assert(
    fc.property(
      fc.constantFrom(...CRONS),
      fc.constantFrom(...ZONES),
      fc.integer({ min: 0, max: year }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (cron, zone, offset, part) => {
        const table = readTimeTable(cron, zone);
        const first = table.next(from + offset)!;
        const second = table.next(first)!;
        expect(second).toBeGreaterThan(first);
        expect(table.next(first + Math.floor((second - first) * part))).toBe(second);
        expect(readTimeTable(cron, zone).next(first)).toBe(second);
      },
    ),
    { numRuns: 300 },
  );
});

it('is due on as many days a year as there are, in every zone', () => {
  for (const zone of ZONES) {
    const table = readTimeTable('30 2 * * *', zone);
    const end = Date.parse('2027-01-01T12:00Z');
    let count = 0;
    for (let at = table.next(Date.parse('2026-01-01T12:00Z')); at! <= end; at = table.next(at!)) count += 1;
    expect(`${zone} ${count}`).toBe(`${zone} 365`);
  }
});
