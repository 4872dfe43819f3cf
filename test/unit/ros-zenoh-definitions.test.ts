import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { definitionFiles } from '../../adapters/zenoh/ros/index.ts';
import { besideOurs } from '../../daemon/compose/ros-zenoh.ts';
import { TypeBook } from '../../formats/ros2/index.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ros-definitions-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe('definitions from folders', () => {
  it.each([
    ['an installation', 'jazzy/share/acme_msgs/srv/Grip.srv', 'jazzy'],
    ['its share', 'jazzy/share/acme_msgs/srv/Grip.srv', 'jazzy/share'],
    ['sources', 'src/acme_msgs/srv/Grip.srv', 'src'],
    ['one package', 'src/acme_msgs/srv/Grip.srv', 'src/acme_msgs'],
  ])('%s', (_what, file, folder) => {
    put(file, 'float64 force\n---\nbool held');
    const types = new TypeBook(definitionFiles([join(root, folder)]));
    expect(types.hash('acme_msgs/srv/Grip')).toMatch(/^RIHS01_[0-9a-f]{64}$/);
    expect(types.definition('acme_msgs/srv/Grip_Request')).toContain('float64 force');
    expect(types.knows('acme_msgs/srv/Other')).toBe(false);
  });

  it('the earlier folder wins, and names are no paths', () => {
    put('a/acme_msgs/msg/A.msg', 'int8 first');
    put('b/acme_msgs/msg/A.msg', 'int8 second');
    const lookup = definitionFiles([join(root, 'a'), join(root, 'b')]);
    expect(lookup('acme_msgs/msg/A')).toBe('int8 first');
    expect(lookup('../a/acme_msgs/msg/A')).toBeUndefined();
    expect(lookup('acme_msgs/msg/../../A')).toBeUndefined();
  });
});

describe('the ROS session beside the key space of the robot', () => {
  const zenoh = (part: object) => part as Parameters<typeof besideOurs>[0];
  it.each([
    ['router', ['tcp/0.0.0.0:7447'], [], 'peer', ['tcp/127.0.0.1:7447']],
    ['router', ['tcp/[::]:7447'], ['tcp/10.0.0.9:7447'], 'peer', ['tcp/127.0.0.1:7447', 'tcp/10.0.0.9:7447']],
    ['client', [], ['tcp/robot:7447'], 'client', ['tcp/robot:7447']],
  ])('of a %s', (mode, listen, connect, asked, to) => {
    expect(besideOurs(zenoh({ mode, listen, connect }))).toEqual({ mode: asked, listen: [], connect: to });
  });
});
