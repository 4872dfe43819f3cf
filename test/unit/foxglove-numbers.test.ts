import { expect, it } from 'vitest';
import { ChannelBook } from '../../adapters/foxglove/channel-book.ts';
import { NumberBook } from '../../adapters/foxglove/number-book.ts';

const topic = (name: string) => ({ topic: name, type: 'std_msgs/msg/Empty', schema: '', latched: false });

it('a topic that comes back has its number again, and no other topic ever has it', () => {
  const book = new ChannelBook();
  const scan = book.add(topic('/scan'));
  const seen = new Set([scan.id]);
  book.remove('/scan');
  expect(book.add(topic('/scan')).id).toBe(scan.id);
  for (let n = 0; n < 20_000; n++) {
    const { id } = book.add(topic(`/trial/${n}`));
    expect(seen.has(id)).toBe(false);
    seen.add(id);
    book.remove(`/trial/${n}`);
  }
  expect(book.add(topic('/scan')).id).toBe(scan.id);
  expect(book.all()).toHaveLength(1);
});

it('remembers numbers of names that are gone, but not of any number of them', () => {
  const used = new Set<number>();
  const book = new NumberBook((number) => used.has(number));
  used.add(book.of('/first'));
  for (let n = 0; n < 100_000; n++) book.of(`/call/${n}/service`);
  expect(book.size).toBeLessThan(10_000);
  expect(book.of('/first')).toBe(1);
  expect(book.of('/call/99999/service')).toBe(100_001);
});
