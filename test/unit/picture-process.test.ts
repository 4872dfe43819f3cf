import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { PictureProcess } from '../../adapters/images/picture-process.ts';

const pictures = new PictureProcess();
afterEach(() => pictures.close());

const jpeg = async () =>
  new Uint8Array(
    await sharp({ create: { width: 8, height: 6, channels: 3, background: { r: 250, g: 0, b: 0 } } })
      .jpeg()
      .toBuffer(),
  );

describe('pictures of strangers', () => {
  it('are opened in another process; what is none is refused and the next one is opened', async () => {
    const picture = await pictures.decode(await jpeg());
    expect(picture).toMatchObject({ width: 8, height: 6 });
    expect(picture.data[0]).toBeGreaterThan(240);
    const { pid } = pictures;
    expect(pid).not.toBe(process.pid);
    await expect(pictures.decode(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({
      code: 'sample.malformed',
    });
    await pictures.decode(await jpeg());
    expect(pictures.pid).toBe(pid);
  });

  it('that kill the decoder are told, and the next picture starts it anew', async () => {
    await pictures.decode(await jpeg());
    const before = pictures.pid!;
    const doomed = pictures.decode(await jpeg());
    process.kill(before, 'SIGKILL');
    await Promise.race([doomed.catch(() => {}), doomed.then(() => {})]);
    for (let tries = 0; tries < 20; tries++) {
      const opened = await pictures.decode(await jpeg()).catch(() => undefined);
      if (opened && pictures.pid !== before) break;
    }
    expect(await pictures.decode(await jpeg())).toMatchObject({ width: 8 });
    expect(pictures.pid).not.toBe(before);
  });
});
