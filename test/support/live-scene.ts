import type { LiveRobot } from './live-robot.ts';

const at = { sec: 0, nanosec: 0 };
const header = (frame_id: string) => ({ stamp: at, frame_id });
const facing = (yaw: number) => ({ x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) });
const pose = (x: number, y: number, yaw = 0) => ({ position: { x, y, z: 0 }, orientation: facing(yaw) });
const transform = (frame: string, child_frame_id: string, x: number, y: number, yaw: number) => ({
  header: header(frame),
  child_frame_id,
  transform: { translation: { x, y, z: 0 }, rotation: facing(yaw) },
});
const LATCHED = { reliability: 'reliable', durability: 'transient_local', depth: 1 } as const;

/** A room of 8 by 6 metres with a robot in it, a path to a goal, its footprint, and a zone it keeps out of. */
export function publishRoom(robot: LiveRobot): void {
  const [width, height] = [80, 60];
  const cells = new Int8Array(width * height);
  const zone = new Int8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const isWall = row === 0 || column === 0 || row === height - 1 || column === width - 1;
      const isShelf = column > 38 && column < 42 && row < 35;
      cells[row * width + column] = isWall || isShelf ? 100 : column > 70 && row > 50 ? -1 : 0;
      if (column < 15 && row > 40) zone[row * width + column] = 100;
    }
  const info = { map_load_time: at, resolution: 0.1, width, height, origin: pose(-4, -3) };
  const GRID = 'nav_msgs/msg/OccupancyGrid';
  robot.declare({ topic: '/map', type: GRID, qos: LATCHED as never });
  robot.declare({ topic: '/keepout_filter_mask', type: GRID, qos: LATCHED as never });
  robot.publish('/map', GRID, { header: header('map'), info, data: cells });
  robot.publish('/keepout_filter_mask', GRID, { header: header('map'), info, data: zone });
}

/** One moment of the robot in that room: transforms, scan, odometry, path, goal, footprint. */
export function publishMoment(robot: LiveRobot, n: number): void {
  const [x, y, yaw] = [-2 + Math.sin(n / 40), -1 + n / 200, Math.PI / 2 - Math.cos(n / 40) / 3];
  const transforms = [
    transform('map', 'odom', 0.1, 0, 0),
    transform('odom', 'base_link', x, y, yaw),
    transform('base_link', 'laser', 0.1, 0, 0),
  ];
  robot.publish('/tf', 'tf2_msgs/msg/TFMessage', { transforms });
  robot.publish('/odom', 'nav_msgs/msg/Odometry', {
    ...{ header: header('odom'), child_frame_id: 'base_link' },
    pose: { pose: pose(x, y, yaw) },
  });
  const ranges = new Float32Array(180).map((_, i) => 1.2 + Math.sin(i / 9) / 3);
  robot.publish('/scan', 'sensor_msgs/msg/LaserScan', {
    ...{ header: header('laser'), angle_min: -1.5, angle_max: 1.5, angle_increment: 3 / 180 },
    ...{ range_min: 0.1, range_max: 10, ranges },
  });
  const poses = Array.from({ length: 30 }, (_, i) => ({
    header: header('map'),
    pose: pose(x + i / 8, y + Math.sin(i / 10)),
  }));
  robot.publish('/plan', 'nav_msgs/msg/Path', { header: header('map'), poses });
  robot.publish('/goal_pose', 'geometry_msgs/msg/PoseStamped', {
    header: header('map'),
    pose: pose(2, 1, 1),
  });
  const points = [
    [0.3, 0.2],
    [0.3, -0.2],
    [-0.3, -0.2],
    [-0.3, 0.2],
  ].map(([px, py]) => ({ x: px, y: py, z: 0 }));
  const polygon = { header: header('base_link'), polygon: { points } };
  robot.publish('/footprint', 'geometry_msgs/msg/PolygonStamped', polygon);
}

/** A raw image with stripes that move. */
export function publishImage(robot: LiveRobot, topic: string, n: number, width = 320, height = 180): void {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const bright = (i + n * 4) % 64 < 32 ? 220 : 60;
    data[i * 3] = bright;
    data[i * 3 + 1] = (255 * i) / width / height;
    data[i * 3 + 2] = 255 - bright;
  }
  robot.publish(topic, 'sensor_msgs/msg/Image', {
    ...{ header: header('camera'), height, width, encoding: 'rgb8', is_bigendian: 0, step: width * 3, data },
  });
}

export function publishHealth(robot: LiveRobot, message: string): void {
  robot.publish('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', {
    header: header(''),
    status: [
      { level: 0, name: 'laser', message: 'running', hardware_id: 'rplidar', values: [] },
      { level: 2, name: 'motor left', message, hardware_id: '', values: [{ key: 'heat', value: '91 °C' }] },
    ],
  });
}

export function publishLine(robot: LiveRobot, level: number, msg: string): void {
  robot.publish('/rosout', 'rcl_interfaces/msg/Log', { stamp: at, level, name: 'planner', msg });
}
