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

  it('are encoded there as JPEGs, no larger than asked; pixels that do not fit are refused', async () => {
    const pixels = { kind: 'pixels', width: 40, height: 20, channels: 3 } as const;
    const options = { sideMax: 10, quality: 80 };
    const made = await pictures.encode({ ...pixels, data: new Uint8Array(2_400).fill(200) }, options);
    expect(made).toMatchObject({ mime: 'image/jpeg', width: 10, height: 5, from: { width: 40, height: 20 } });
    expect((await sharp(made.data).metadata()).format).toBe('jpeg');
    await expect(pictures.encode({ ...pixels, data: new Uint8Array(3) }, options)).rejects.toMatchObject({
      code: 'sample.malformed',
    });
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
