import { describe, expect, it } from 'vitest';
import { SqlitePages } from '../../adapters/rosbag/sqlite-pages.ts';
import { SqliteSalvage } from '../../adapters/rosbag/sqlite-salvage.ts';
import { sortInTurns, Turns } from '../../adapters/rosbag/turns.ts';
import { type Column, HostilePages, varint } from '../support/hostile-pages.ts';
import { Random } from '../support/random.ts';

/** What a salvage of a database costs and gives, whatever its pages say. Work is counted in what is read. */
const TOPIC: readonly Column[] = [null, '/a', 'std_msgs/msg/String', 'cdr', ''];
const MIB = 1024 * 1024;
/** Each page once for its rows, and a few times at most for the rows that lead into it, in both passes. */
const READS_PER_PAGE = 10;

const smallMessage = (file: HostilePages, rowId: number, blob: number) =>
  file.cell(rowId, [null, 0, BigInt(rowId), { blob }]);
const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

async function salvage(file: HostilePages) {
  const salvage = new SqliteSalvage('a.db3', file);
  return await file.watched(async () => {
    const { topics } = await salvage.contents();
    const given: { time: bigint; bytes: Uint8Array }[] = [];
    const faults: string[] = [];
    let lost = 0;
    const damaged = (fault: Error, of?: ReadonlyMap<string, number>) => {
      faults.push(fault.message);
      for (const count of of?.values() ?? []) lost += count;
    };
    for await (const { logTime, bytes } of salvage.messages(topics, {}, damaged, undefined))
      given.push({ time: logTime, bytes });
    return { topics, given, lost, fault: faults.join('\n') };
  });
}

/** With a topic of id 0 on page 2. */
function file(pages: number, pageBytes?: number): HostilePages {
  const made = new HostilePages(pages, pageBytes);
  made.leaf(2, [made.cell(0, TOPIC)]);
  return made;
}

describe('a page of a damaged database', () => {
  it('gives a cell once, however often it is named', async () => {
    const pages = file(60, 65_536);
    // A text as long as a row of text may be, whose pages lead back to the first of them.
    const text = pages.cell(7, [null, { text: 925_642 }], 5);
    const cells = [smallMessage(pages, 8, 10), text];
    pages.leaf(4, cells, [0, ...from(0, 12_000).map((i) => i % 2)]);
    pages.chain(from(5, 3), 5);
    const { given, fault } = await salvage(pages);
    expect(given.map(({ bytes }) => bytes.length)).toEqual([10]);
    expect(fault).toContain('12000 rows');
    expect(pages.pagesRead).toBeLessThan(60 + 10);
  });

  it('decodes its bytes a few times at most, however its cells overlap', async () => {
    const pages = new HostilePages(3, 65_536);
    const [start, count] = [2 * 65_536, 6_000];
    const view = new DataView(pages.content.buffer, start);
    view.setUint8(0, 0x0d);
    view.setUint16(3, count);
    for (let i = 0; i < count; i++) {
      // A topic whose name reaches from here to the end of the page, over all that follow.
      const at = 13_000 + i * 9;
      const size = 65_536 - at - 4;
      if (size < 16_384 + 8) break;
      const type = (size - 5) * 2 + 13;
      pages.content.set([...varint(size), 1, 5, 0, ...varint(type)], start + at);
      view.setUint16(8 + 2 * i, at);
    }
    let decoded = 0;
    const found = new SqlitePages(pages, MIB);
    for (const row of found.rows(3, found.overflow())) decoded += String(row?.columns[1] ?? '').length;
    expect(decoded).toBeGreaterThan(0);
    expect(decoded).toBeLessThan(6 * 65_536);
  });
});

describe('an overflow chain of a damaged database', () => {
  it('that leads back into itself costs its pages a few times, whatever rows lead there', async () => {
    const pages = file(300);
    for (const page of from(3, 100))
      pages.leaf(
        page,
        from(0, 7).map((i) => pages.message(page * 10 + i, 200, 103 + ((page * 7 + i) % 50))),
      );
    pages.chain(from(103, 50), 103);
    const { given, lost } = await salvage(pages);
    expect(given).toEqual([]);
    expect(lost).toBe(700);
    expect(pages.pagesRead).toBeLessThan(READS_PER_PAGE * 300);
  });

  it('belongs to one row: others that lead there are counted as lost', async () => {
    const pages = file(400);
    for (const page of from(3, 80))
      pages.leaf(
        page,
        from(0, 7).map((i) => pages.message(page * 10 + i, 300, 90)),
      );
    pages.chain(from(90, 300));
    const { given, lost } = await salvage(pages);
    expect(given.length).toBe(1);
    expect(lost).toBe(80 * 7 - 1);
    expect(pages.pagesRead).toBeLessThan(READS_PER_PAGE * 400);
  });

  it('is still given to its row after broken rows led into its middle', async () => {
    const pages = file(40);
    pages.leaf(
      3,
      from(0, 3).map((i) => pages.message(i, 10, 15 + i)),
    );
    pages.leaf(4, [pages.message(9, 20, 10)]);
    pages.chain(from(10, 20));
    const { given, lost } = await salvage(pages);
    expect(lost).toBe(3);
    expect(given.map(({ time }) => time)).toEqual([9n]);
    // Its bytes are those of its pages, in their order.
    const expected = from(10, 20).flatMap((page) => Array<number>(4092).fill(page));
    expect(Buffer.from(expected).equals(given[0]!.bytes.subarray(-20 * 4092))).toBe(true);
  });

  it('of a length that the file cannot hold is not followed', async () => {
    const pages = file(50);
    const sizes = [50 * 4096, 60 * MIB, 2 ** 31, 2 ** 40, 2 ** 51];
    for (const [i, size] of sizes.entries())
      pages.leaf(3 + i, [pages.cell(i, [null, 0, BigInt(i), { blob: size }], 8)]);
    pages.chain(from(8, 43), 8);
    const { given, fault } = await salvage(pages);
    expect(given).toEqual([]);
    expect(fault).toContain(`${sizes.length} rows`);
    expect(pages.pagesRead).toBeLessThan(50 + 2);
  });

  it('may lead to the free list, the head, or out of the file', async () => {
    const pages = file(20);
    // A trunk of the free list that names its leaves, itself among them.
    const view = new DataView(pages.content.buffer, 9 * 4096, 4096);
    view.setUint32(0, 10);
    view.setUint32(4, 1022);
    for (let i = 0; i < 1022; i++) view.setUint32(8 + 4 * i, 1 + (i % 20));
    const ends = [0, 1, 2, 10, 20, 21, 2 ** 31, 2 ** 32 - 1];
    pages.leaf(
      3,
      ends.map((end, i) => pages.message(i, 2, end)),
    );
    const { given, lost } = await salvage(pages);
    expect(given).toEqual([]);
    expect(lost).toBe(ends.length);
    expect(pages.pagesRead).toBeLessThan(20 * 2);
  });
});

describe('a salvage', () => {
  it('gives the event loop its turn by what is read, within one row too', async () => {
    const pages = file(20_000, 512);
    pages.leaf(3, [pages.message(1, 9_000, 1_000)]);
    pages.chain(from(1_000, 9_000));
    const { given } = await salvage(pages);
    expect(given.map(({ bytes }) => bytes.length > 9_000 * 508)).toEqual([true]);
    expect(pages.bytesRead).toBeGreaterThan(14 * MIB);
    expect(pages.longestRead).toBeLessThan(3 * MIB);
  });

  it('keeps a definition once for all topics of its type', async () => {
    const pages = new HostilePages(260);
    const type = 'std_msgs/msg/String';
    const text = 200 * 4092;
    pages.leaf(2, [pages.cell(1, [null, type, 'ros2msg', { text }, ''], 50)]);
    // The last column is empty, so that the text fills its pages.
    pages.chain(from(50, Math.ceil((text - 489) / 4092)));
    for (const page of from(3, 20))
      pages.leaf(
        page,
        from(0, 50).map((i) => pages.cell(page * 100 + i, [null, `/t${page}_${i}`, type, 'cdr', ''])),
      );
    const { topics } = await new SqliteSalvage('a.db3', pages).contents();
    expect(topics.length).toBe(1_000);
    const kept = new Set(topics.map(({ channel }) => channel.schemaData));
    expect([...kept].map((data) => data.length > 100 * 4092)).toEqual([true]);
  });

  it('of nonsense ends, within a few reads of each page', async () => {
    for (const seed of from(1, 30)) {
      const random = new Random(seed);
      const pages = file(120, random.one([512, 1024, 4096]));
      for (const page of from(3, 118)) {
        const start = (page - 1) * pages.pageBytes;
        for (let i = 0; i < pages.pageBytes; i++)
          pages.content[start + i] = random.below(random.one([3, 20, 256]));
        if (random.below(2) === 0) pages.content[start] = 0x0d;
      }
      await salvage(pages);
      expect(pages.pagesRead, `seed ${seed}`).toBeLessThan(READS_PER_PAGE * 120);
    }
  });

  it('orders rows by time, those of one time by their ids, each id once', async () => {
    const pages = file(12);
    const ids = from(0, 9).map((i) => (i * 5) % 9);
    for (const [i, id] of ids.entries())
      pages.leaf(3 + i, [pages.cell(id, [null, 0, BigInt(id % 3), { blob: id + 1 }])]);
    pages.leaf(12, [smallMessage(pages, 4, 99)]);
    const { given } = await salvage(pages);
    expect(given.map(({ bytes }) => bytes.length)).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
  });
});

describe('a sort in turns', () => {
  it.each([0, 1, 1_024, 1_025, 5_000, 10_241])('of %d items is that of the language', async (count) => {
    const random = new Random(count + 1);
    const items = from(0, count).map((at) => ({ key: random.below(200), at }));
    const sorted = await sortInTurns(items, (a, b) => a.key - b.key, new Turns());
    expect(sorted).toEqual([...items].sort((a, b) => a.key - b.key));
  });
});
