import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { installedDefinition } from '../../adapters/ros/definitions.ts';

const directory = mkdtempSync(join(tmpdir(), 'ros-definitions-'));
afterAll(() => rmSync(directory, { recursive: true }));

function install(prefix: string, name: string, text: string): string {
  const [pkg, message] = name.split('/');
  const folder = join(directory, prefix, 'share', pkg!, 'msg');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${message}.msg`), text);
  return join(directory, prefix);
}

describe('a definition from the ROS installation', () => {
  const base = install('base', 'std_msgs/Header', 'builtin_interfaces/Time stamp\nstring frame_id\n');
  install('base', 'builtin_interfaces/Time', 'int32 sec\nuint32 nanosec\n');
  install('base', 'my_msgs/Finger', 'float64 force # newtons\n');
  install(
    'base',
    'my_msgs/Gripper',
    [
      '# Fingers of a hand.',
      'uint8 OPEN=0',
      'string<=10 name "none"',
      'std_msgs/Header header',
      'Finger[<=5] fingers',
      'my_msgs/msg/Finger thumb',
      'float32[3] axis',
    ].join('\n'),
  );

  it('has its dependencies after it, each once', () => {
    const text = installedDefinition('my_msgs/msg/Gripper', [base])!;
    expect(text.split(/^=+$/m)[0]).toContain('Finger[<=5] fingers');
    expect([...text.matchAll(/^MSG: (.*)$/gm)].map((match) => match[1])).toEqual([
      'std_msgs/Header',
      'my_msgs/Finger',
      'builtin_interfaces/Time',
    ]);
  });

  it('is that of the overlay', () => {
    const overlay = install('overlay', 'my_msgs/Finger', 'float32 force\n');
    expect(installedDefinition('my_msgs/msg/Finger', [overlay, base])).toBe('float32 force\n');
  });

  it('is none where the type or what it is made of is not installed', () => {
    install('base', 'my_msgs/Broken', 'other_msgs/Thing thing\n');
    for (const type of ['my_msgs/msg/Nothing', 'my_msgs/msg/Broken', '../msg/x', 'my_msgs/srv/Gripper'])
      expect(installedDefinition(type, [base])).toBeUndefined();
  });
});
