import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AssetShelf, OWN_URDF } from '../../adapters/foxglove/asset-shelf.ts';
import { freshDir } from '../support/daemon.ts';

describe('assets', () => {
  const directory = freshDir('assets');
  const at = (...parts: string[]) => join(directory.path, ...parts);
  mkdirSync(at('prefix', 'share', 'arm'), { recursive: true });
  mkdirSync(at('meshes', 'hand'), { recursive: true });
  writeFileSync(at('prefix', 'share', 'arm', 'base.stl'), 'mesh');
  writeFileSync(at('prefix', 'share', 'arm', 'secret.txt'), 'secret');
  writeFileSync(at('meshes', 'hand', 'palm part.dae'), 'palm');
  writeFileSync(at('outside.stl'), 'outside');
  symlinkSync(at('outside.stl'), at('meshes', 'link.stl'));
  afterAll(() => directory.remove());
  const shelf = new AssetShelf({
    folders: [at('meshes')],
    prefixes: [at('prefix')],
    urdf: async () => '<robot/>',
  });
  const fetch = async (uri: string) => {
    const found = await shelf.fetch(uri);
    return found instanceof Uint8Array ? Buffer.from(found).toString() : found;
  };

  it.each([
    ['package://arm/base.stl', 'mesh'],
    ['package://hand/palm%20part.dae', 'palm'],
    [OWN_URDF, '<robot/>'],
  ])('%s is given', async (uri, text) => {
    expect(await fetch(uri)).toBe(text);
  });

  it('below the folders of the configuration are given by their path', async () => {
    expect(await fetch(`file://${at('meshes', 'hand', 'palm%20part.dae')}`)).toBe('palm');
  });

  it.each([
    'package://arm/secret.txt',
    'package://arm/../../../outside.stl',
    'package://arm/..%2F..%2F..%2Foutside.stl',
    'package://../meshes/link.stl',
    'package://arm/none.stl',
    'package://arm/%ff.stl',
    'package://arm/%00.stl',
    'https://example.com/a.stl',
    'file:///etc/passwd',
    '',
  ])('%s is not given', async (uri) => {
    expect(await fetch(uri)).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it('outside of the folders are not given, not even over a link', async () => {
    for (const path of [at('outside.stl'), at('meshes', 'link.stl'), at('meshes', '..', 'outside.stl')])
      expect(await fetch(`file://${path}`)).toEqual({ error: expect.stringMatching(/not found/) });
  });

  it('of a robot without a description: says which key has it', async () => {
    const bare = new AssetShelf({ folders: [], prefixes: [], urdf: async () => undefined });
    expect(await bare.fetch(OWN_URDF)).toEqual({ error: expect.stringContaining('gate.urdf') });
  });
});
