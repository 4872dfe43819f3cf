import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../contract/index.ts';

/** One place for blobs. `open` again is another process; `damage` flips a byte of what is held. */
export type BlobFixture = {
  open(): BlobStore;
  damage(sha256: string): Promise<void>;
  dispose(): Promise<void>;
};

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const text = (value: string) => new TextEncoder().encode(value);

/** What every BlobStore keeps to. */
export function blobStoreConformance(name: string, makeFixture: () => Promise<BlobFixture>): void {
  describe(`BlobStore: ${name}`, () => {
    let fixture: BlobFixture;
    beforeEach(async () => {
      fixture = await makeFixture();
    });
    afterEach(() => fixture.dispose());

    it('names bytes by their hash and gives back exactly them, in this process and in the next', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
          const sha256 = await fixture.open().put(bytes);
          expect(sha256).toBe(hash(bytes));
          expect(await fixture.open().get(sha256)).toEqual(bytes);
        }),
        { numRuns: 20 },
      );
    });

    it('takes the same bytes twice, also at the same time', async () => {
      const store = fixture.open();
      const bytes = text('a picture');
      const names = await Promise.all([store.put(bytes), store.put(bytes), fixture.open().put(bytes)]);
      names.push(await store.put(bytes));
      expect(new Set(names)).toEqual(new Set([hash(bytes)]));
      expect(await store.get(names[0]!)).toEqual(bytes);
    });

    it('keeps what was put, whatever its owner does with the bytes afterwards', async () => {
      const store = fixture.open();
      const bytes = text('before');
      const putting = store.put(bytes);
      bytes.fill(0);
      expect(await putting).toBe(hash(text('before')));
      expect(await store.get(hash(text('before')))).toEqual(text('before'));
    });

    it('does not know what nobody put, nor what is no hash', async () => {
      const store = fixture.open();
      for (const name of ['ab'.repeat(32), '', '../../etc/passwd', `${'ab'.repeat(31)}/x`, 'AB'.repeat(32)])
        expect([await store.get(name), await store.renew(name)]).toEqual([undefined, false]);
      const sha256 = await store.put(text('known'));
      expect(await fixture.open().renew(sha256)).toBe(true);
    });

    it('says that bytes are damaged instead of giving them, and takes them anew', async () => {
      const bytes = text('truth');
      const sha256 = await fixture.open().put(bytes);
      await fixture.damage(sha256);
      await expect(fixture.open().get(sha256)).rejects.toMatchObject({ code: 'log.damaged' });
      await fixture.open().put(bytes);
      expect(await fixture.open().get(sha256)).toEqual(bytes);
    });

    it('takes no bytes at all', async () => {
      const sha256 = await fixture.open().put(new Uint8Array());
      expect(await fixture.open().get(sha256)).toEqual(new Uint8Array());
    });
  });
}
