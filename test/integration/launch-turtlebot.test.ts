import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../daemon/config.ts';
import { ROOT } from '../support/daemon.ts';

/** The launch file executed against the recording stub of `launch`: Nav2 itself is not among the wheels of ROS. */
function launch(...args: string[]) {
  const file = join(ROOT, 'launch/turtlebot.launch.py');
  const { stdout, stderr } = spawnSync('python3', [join(ROOT, 'test/peers/launch_run.py'), file, ...args], {
    encoding: 'utf8',
  });
  return { started: stdout === '' ? [] : (JSON.parse(stdout) as Record<string, unknown>[]), stderr };
}

describe('the launch file of TurtleBots', () => {
  it.each(['turtlebot3', 'turtlebot4'])('starts Nav2 and the daemon of a %s in its namespace', (robot) => {
    const { started } = launch(
      `robot:=${robot}`,
      'namespace:=/robot7/',
      'map:=/maps/hall.yaml',
      'domain_id:=7',
    );
    expect(started).toHaveLength(2);
    expect(started[0]).toMatchObject({
      include: '/opt/ros/jazzy/share/nav2_bringup/launch/bringup_launch.py',
      arguments: { namespace: 'robot7', use_namespace: 'True', slam: 'False', map: '/maps/hall.yaml' },
    });
    const config = join(ROOT, 'launch/turtlebot', `${robot}.toml`);
    expect(started[1]).toMatchObject({
      cmd: [join(ROOT, 'bin/auraison'), 'up', '--config', config],
      additional_env: {
        AURAISON_DAEMON_NAME: 'robot7',
        AURAISON_ROS_NAMESPACE: '/robot7',
        AURAISON_ROS_DOMAIN_ID: '7',
      },
    });
    const read = readConfig(readFileSync(config, 'utf8'), config, {});
    expect(read.faults).toEqual([]);
    expect(read.config.robot).toMatchObject({ source: 'ros', navigator: 'nav2' });
  });

  it('is named after its kind, unless its own configuration says otherwise', () => {
    const daemon = (...args: string[]) => launch('map:=/maps/hall.yaml', ...args).started[1];
    expect(daemon('robot:=turtlebot3')).toMatchObject({
      additional_env: { AURAISON_DAEMON_NAME: 'turtlebot3' },
    });
    const own = daemon('config:=/etc/auraison-edge/mine.toml');
    expect(own?.['cmd']).toContain('/etc/auraison-edge/mine.toml');
    // A file that cannot be read names no robot: a launch file never drives the simulation by itself.
    expect(own?.['additional_env']).toEqual({ AURAISON_ROBOT_SOURCE: 'ros' });
  });

  it('makes a map instead of loading one, and says what is missing', () => {
    const [nav2] = launch('slam:=true').started;
    expect(nav2).toMatchObject({ arguments: { slam: 'True' } });
    expect((nav2 as { arguments: object }).arguments).not.toHaveProperty('map');
    expect(launch().stderr).toContain('map:=FILE.yaml, or slam:=true');
    expect(launch('robot:=roomba', 'slam:=true').stderr).toContain('one of turtlebot3, turtlebot4');
  });
});
