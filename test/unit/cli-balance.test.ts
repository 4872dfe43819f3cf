import { expect, it } from 'vitest';
import { balanceText } from '../../cli/balance.ts';

it('the sum that a person reads holds while messages are on their way to the disk', () => {
  expect(balanceText({ received: 9, written: 7, dropped: 2 })).toBe('received 9 = written 7 + dropped 2');
  expect(balanceText({ received: 9, written: 6, dropped: 2 })).toBe(
    'received 9 = written 6 + dropped 2 + 1 on the way',
  );
});
