import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TypeBook } from '../../formats/ros2/index.ts';
import { rosEnvironment } from '../peers/ros-peer.ts';

type Published = {
  readonly type_hashes: readonly { readonly type_name: string; readonly hash_string: string }[];
};

describe('RIHS01 against ROS 2 itself', () => {
  it('is what rosidl computed, for every type and part of every installed package', () => {
    const share = join(rosEnvironment()['AMENT_PREFIX_PATH']!, 'share');
    const book = new TypeBook((type) => {
      const [pkg = '', kind = '', name = ''] = type.split('/');
      try {
        return readFileSync(join(share, pkg, kind, `${name}.${kind}`), 'utf8');
      } catch {
        return undefined;
      }
    });
    const published = new Map<string, string>();
    for (const file of globSync(join(share, '*/{msg,srv,action}/**/*.json'))) {
      const { type_hashes } = JSON.parse(readFileSync(file, 'utf8')) as Published;
      for (const { type_name, hash_string } of type_hashes) published.set(type_name, hash_string);
    }
    expect(published.size).toBeGreaterThan(300);
    const ours = new Map([...published.keys()].map((type) => [type, book.hash(type)]));
    expect(ours).toEqual(published);
  }, 600_000);
});
