import { describe, expect, it } from 'vitest';
import { firstOf, namedCameras } from '../../console/src/see/cameras/camera-choice.ts';
import { CameraPace } from '../../console/src/see/cameras/camera-pace.ts';
import { pixelsOf } from '../../console/src/see/cameras/pixels.ts';
import { type Channel, Decoder, LiveSample, type Message } from '../../console/src/see/link/sample.ts';
import { compose, invert, PlaneFrames } from '../../console/src/see/map/frames.ts';
import { drawingOf, isShownFirst, layersOf } from '../../console/src/see/map/layers.ts';
import { mapArgumentOf, mapViewOf } from '../../console/src/see/map/map-address.ts';
import { MapScene } from '../../console/src/see/map/map-scene.ts';
import { Trail } from '../../console/src/see/map/trail.ts';
import { fieldsOf, numberAt, signalOf } from '../../console/src/see/plots/fields.ts';
import { argumentOf, viewOf, withoutSignal, withSignal } from '../../console/src/see/plots/plot-address.ts';
import { PlotStore } from '../../console/src/see/plots/plot-store.ts';
import { Series } from '../../console/src/see/plots/series.ts';
import { axisTexts } from '../../console/src/see/plots/time-text.ts';
import { DiagnosisBook, LogBook } from '../../console/src/see/topics/log-book.ts';
import { TopicBook } from '../../console/src/see/topics/topic-book.ts';
import { encodeAny, type RosValue, schemaFor } from '../../formats/ros2/index.ts';

/** What the pages of live topics work out, without a page. */
const channelOf = (topic: string, type: string): Channel => ({
  ...{ id: 1, topic, encoding: 'cdr', schemaName: type, schema: schemaFor(type)!.data },
});
const sampleOf = (topic: string, type: string, value: RosValue, timeS = 1, atMs = 1_000) =>
  new LiveSample(channelOf(topic, type), encodeAny(type, value), timeS, atMs);
const offered = (...topics: [string, string][]) =>
  new Map(topics.map(([topic, type]) => [topic, channelOf(topic, type)]));

describe('plots', () => {
  it('find any number of a message by its address, and offer all addresses of a type', () => {
    const ODOM = 'nav_msgs/msg/Odometry';
    const fields = fieldsOf('/odom', new Decoder(schemaFor(ODOM)!.data).definitions);
    expect(fields).toEqual(
      expect.arrayContaining([
        '/odom.header.stamp',
        '/odom.pose.pose.position.x',
        '/odom.pose.covariance[0]',
        '/odom.twist.twist.angular.z',
      ]),
    );
    const value = sampleOf('/odom', ODOM, {
      header: { stamp: { sec: 3, nanosec: 500_000_000 } },
      pose: { pose: { position: { x: 1.5 } }, covariance: [...new Array(35).fill(0), 9] },
    }).value!;
    const at = (text: string) => numberAt(value, signalOf(text)!.keys);
    expect(at('/odom.pose.pose.position.x')).toBe(1.5);
    expect(at('/odom.pose.covariance[35]')).toBe(9);
    expect(at('/odom.header.stamp')).toBe(3.5);
    expect(at('/odom.pose.pose')).toBeUndefined();
    expect(at('/odom.child_frame_id')).toBeUndefined();
    for (const bad of ['', '/odom', 'odom.x', '/odom..x', '/odom.x[a]', '/odom.x y'])
      expect(signalOf(bad)).toBeUndefined();
  });

  it('keep the newest values in bounded memory, and draw lowest and highest of each part', () => {
    const series = new Series();
    for (let i = 0; i < 200_000; i++) series.push(i / 1000, i === 150_000 ? 50 : Math.sin(i));
    expect(series.count).toBe(65_536);
    expect(series.newest).toEqual({ timeS: 199.999, value: Math.sin(199_999) });
    expect(series.oldest!.timeS).toBeCloseTo(134.464);
    const drawn = series.shape(140, 190, 100);
    expect(drawn).toHaveLength(200);
    // A peak of one sample is never lost.
    expect(Math.max(...drawn.map((one) => one ?? 0))).toBe(50);
    expect(drawn.every((one) => typeof one === 'number')).toBe(true);
    expect(series.at(150)).toEqual({ timeS: 150, value: 50 });
    expect(series.at(1)).toBeUndefined();
    // The simulation started again.
    series.push(0, 1);
    expect(series.count).toBe(1);
  });

  it('draw a line through few values up to the edges, and none over a time without listening', () => {
    const series = new Series();
    for (const [time, value] of [
      [0, 0],
      [10, 10],
    ] as const)
      series.push(time, value);
    expect(series.shape(2, 4, 4)).toEqual([2, ...new Array(5).fill(undefined), 4, undefined]);
    series.cut();
    series.push(20, 0);
    const drawn = series.shape(0, 20, 4);
    expect(drawn[0]).toBe(0);
    expect(drawn.slice(4, 6)).toEqual([10, null]);
    // What is no number interrupts too.
    series.push(21, Number.POSITIVE_INFINITY);
    expect(series.shape(20.5, 22, 3).slice(0, 3)).toEqual([null, undefined, null]);
  });

  it('have an address for each view, and leave out what is not valid', () => {
    const view = { windowS: 60, charts: [['/a.x', '/b.y[3]'], ['/c.z']] };
    expect(argumentOf(view)).toBe('60;/a.x,/b.y[3];/c.z');
    expect(viewOf(argumentOf(view))).toEqual(view);
    expect(viewOf('7;nothing,/a.x,/a.x')).toEqual({ windowS: 30, charts: [['/a.x']] });
    expect(viewOf('').charts).toEqual([[]]);
    const many = `5;${Array.from({ length: 50 }, (_, i) => `/a.x[${i}]`).join()}`;
    expect(viewOf(many).charts[0]).toHaveLength(32);
    expect(withSignal(view, '/d.x', 2).charts.at(-1)).toEqual(['/d.x']);
    expect(withSignal(view, '/c.z', 1).charts).toEqual(view.charts);
    expect(withoutSignal(view, '/c.z', 1).charts).toEqual([['/a.x', '/b.y[3]']]);
  });

  it('follow the clock of the robot, smoothly, and again from zero with a new simulation', () => {
    const store = new PlotStore();
    store.show(['/p.point.x', '/p.point.y', 'no signal']);
    expect(store.topics()).toEqual(['/p']);
    expect(store.end()).toBeUndefined();
    const take = (timeS: number, x: number) =>
      store.take(sampleOf('/p', 'geometry_msgs/msg/PointStamped', { point: { x } }, timeS));
    take(100, 1);
    expect(store.end()).toBe(100);
    take(100.6, 2);
    const ends = Array.from({ length: 40 }, () => store.end()!);
    expect(ends[0]).toBeCloseTo(100.1);
    expect(ends.at(-1)).toBeCloseTo(100.6);
    take(1, 5);
    expect(store.end()).toBe(1);
    expect(store.track('/p.point.x')!.series.count).toBe(1);
    store.show(['/p.point.y']);
    expect(store.track('/p.point.x')).toBeUndefined();
  });
});

describe('the map', () => {
  const facing = (yaw: number) => ({ x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) });
  const tf = (frame_id: string, child_frame_id: string, x: number, y: number, yaw: number) =>
    sampleOf('/tf', 'tf2_msgs/msg/TFMessage', {
      transforms: [
        { header: { frame_id }, child_frame_id, transform: { translation: { x, y }, rotation: facing(yaw) } },
      ],
    });

  it('joins frames along their tree, both ways, and none that no chain joins', () => {
    const frames = new PlaneFrames();
    frames.set('map', 'odom', { x: 1, y: 0, yaw: Math.PI / 2 });
    frames.set('odom', '/base_link', { x: 2, y: 0, yaw: 0 });
    frames.set('base_link', 'laser', { x: 0, y: 1, yaw: 0 });
    frames.set('island', 'tree', { x: 0, y: 0, yaw: 0 });
    const laser = frames.find('map', 'laser')!;
    expect([laser.x, laser.y]).toEqual([expect.closeTo(0), expect.closeTo(2)]);
    const back = frames.find('laser', 'map')!;
    expect(compose(laser, back)).toMatchObject({ x: expect.closeTo(0), y: expect.closeTo(0) });
    expect(compose(laser, invert(laser)).yaw).toBeCloseTo(0);
    expect(frames.find('map', 'tree')).toBeUndefined();
    expect(frames.rootOf('laser')).toBe('map');
    // A loop and what is no number change nothing.
    frames.set('laser', 'map', { x: 5, y: 5, yaw: 0 });
    frames.set('map', 'odom', { x: Number.NaN, y: 0, yaw: 0 });
    expect(frames.find('map', 'laser')).toEqual(laser);
  });

  it('knows layers by their type; costmaps and the truth of a simulation are off at first', () => {
    const channels = offered(
      ['/scan', 'sensor_msgs/msg/LaserScan'],
      ['/map', 'nav_msgs/msg/OccupancyGrid'],
      ['/local_costmap/costmap', 'nav_msgs/msg/OccupancyGrid'],
      ['/keepout_filter_mask', 'nav_msgs/msg/OccupancyGrid'],
      ['/ground_truth/odom', 'nav_msgs/msg/Odometry'],
      ['/imu', 'sensor_msgs/msg/Imu'],
    );
    const layers = layersOf(channels);
    expect(layers.map(({ topic, kind }) => `${topic} ${kind}`)).toEqual([
      '/local_costmap/costmap grid',
      '/map grid',
      '/keepout_filter_mask zone',
      '/scan scan',
      '/ground_truth/odom robot',
    ]);
    expect(layers.filter(isShownFirst).map(({ topic }) => topic)).toEqual([
      '/map',
      '/keepout_filter_mask',
      '/scan',
    ]);
  });

  it('draws scans within their range, and no map whose cells are missing', () => {
    const scan = { angle_min: 0, angle_increment: Math.PI / 2, range_min: 0.1, range_max: 5 };
    const ranges = new Float32Array([1, 2, Number.POSITIVE_INFINITY, 0.05]);
    const header = { frame_id: 'laser' };
    const drawing = drawingOf('scan', { header, ...scan, ranges } as Message);
    expect(drawing).toMatchObject({
      frame: 'laser',
      points: [
        [1, 0],
        [expect.closeTo(0), 2],
      ],
    });
    const info = {
      width: 3,
      height: 2,
      resolution: 0.1,
      origin: { position: { x: 0, y: 0 }, orientation: facing(0) },
    };
    expect(drawingOf('grid', { header, info, data: new Int8Array(6) } as Message)).toBeDefined();
    expect(drawingOf('grid', { header, info, data: new Int8Array(5) } as Message)).toBeUndefined();
  });

  it('places the robot by transforms, keeps where it was, and joins its own map by the pose of the API', () => {
    const scene = new MapScene();
    scene.take(tf('odom', 'base_link', 1, 2, 0), []);
    expect([scene.fixedFrame, scene.robot]).toEqual(['odom', { x: 1, y: 2, yaw: 0 }]);
    for (let i = 0; i < 10; i++) scene.take(tf('odom', 'base_link', 1 + i / 10, 2, 0), []);
    expect(scene.trail.points).toHaveLength(10);
    scene.takeOwnPose({ x: 5, y: 5, yaw: Math.PI });
    expect(scene.fixedFrame).toBe('map');
    expect(scene.robot).toMatchObject({ x: expect.closeTo(5), y: expect.closeTo(5) });
    // A pose of a moment ago is no drift; one far off is.
    scene.takeOwnPose({ x: 5.1, y: 5, yaw: Math.PI });
    expect(scene.robot!.x).toBeCloseTo(5);
    scene.takeOwnPose({ x: 7, y: 5, yaw: Math.PI });
    expect(scene.robot!.x).toBeCloseTo(7);
    const trail = new Trail();
    for (let i = 0; i < 50_000; i++) trail.add({ x: i / 10, y: 0, yaw: 0 });
    expect(trail.points.length).toBeLessThanOrEqual(4_000);
    expect(trail.points[0]!.x).toBe(0);
  });

  it('has an address for each view', () => {
    const turned = new Map([
      ['/plan', false],
      ['own map', true],
    ]);
    const view = { centre: [1.5, -2] as const, scale: 80, follows: false, turned };
    expect(mapArgumentOf(view)).toBe('1.5,-2,80;-/plan;+own map');
    expect(mapViewOf(mapArgumentOf(view))).toEqual(view);
    expect(mapViewOf('robot,40')).toMatchObject({ follows: true, scale: 40, centre: undefined });
    for (const bad of ['', 'a,b,c', '1,2', '1,2,-5;x'])
      expect(mapViewOf(bad)).toEqual({ centre: undefined, scale: 50, follows: false, turned: new Map() });
  });
});

describe('cameras', () => {
  it('come one image at a time while the line is thin, and all again when it is not', () => {
    const pace = new CameraPace();
    let now = 0;
    for (; now < 3_000; now += 33) expect(pace.arrived(now / 1000, now + 70)).toBeUndefined();
    // Each image comes 100 ms later than the one before it.
    let late = 0;
    let rest: number | undefined;
    for (; rest === undefined; now += 33) {
      late += 100;
      rest = pace.arrived(now / 1000, now + 70 + late);
    }
    expect([pace.isThin, late]).toEqual([true, 500]);
    expect(rest).toBeGreaterThan(400);
    // However long it lasts, what a thin line does never counts as good.
    for (let i = 0; i < 100; i++, now += 1_000)
      expect(pace.arrived(now / 1000, now + 570)).toBeGreaterThan(100);
    for (let i = 0; i < 9; i++, now += 200) expect(pace.arrived(now / 1000, now + 80)).toBeGreaterThan(0);
    expect(pace.arrived(now / 1000, now + 80)).toBeUndefined();
    expect(pace.isThin).toBe(false);
  });

  it('are those that the address names, else plain ones, compressed where there is a choice', () => {
    const channels = offered(
      ['/front/image_raw', 'sensor_msgs/msg/Image'],
      ['/front/image_raw/compressed', 'sensor_msgs/msg/CompressedImage'],
      ['/back/image_raw', 'sensor_msgs/msg/Image'],
      ['/depth/image', 'sensor_msgs/msg/Image'],
      ['/scan', 'sensor_msgs/msg/LaserScan'],
    );
    expect(firstOf(channels)).toEqual(['/back/image_raw', '/front/image_raw/compressed']);
    expect(namedCameras('')).toBeUndefined();
    expect(namedCameras('/a,b,/c/d')).toEqual(['/a', '/c/d']);
  });

  it.each([
    ['rgb8', 3, [1, 2, 3], [1, 2, 3, 255]],
    ['bgra8', 4, [1, 2, 3, 4], [3, 2, 1, 255]],
    ['mono8', 1, [9], [9, 9, 9, 255]],
  ])('%s has its pixels', (encoding, size, bytes, pixel) => {
    // Rows may be longer than their pixels.
    const step = 2 * size + 1;
    const data = new Uint8Array(step * 2);
    data.set(bytes, step + size);
    const pixels = pixelsOf({ width: 2, height: 2, encoding, is_bigendian: 0, step, data });
    expect([...(pixels as Uint8ClampedArray).subarray(12)]).toEqual(pixel);
  });

  it('show depths from near to far, colour differences as colours, and say what they cannot show', () => {
    const depth = new Uint8Array(new Uint16Array([0, 1_000, 3_000]).buffer);
    const base = { width: 3, height: 1, is_bigendian: 0 };
    const grey = pixelsOf({ ...base, encoding: '16UC1', step: 6, data: depth }) as Uint8ClampedArray;
    expect([grey[0], grey[4], grey[8]]).toEqual([0, 40, 255]);
    const grey422 = new Uint8Array([100, 128, 200, 128]);
    const yuv = pixelsOf({
      ...base,
      width: 2,
      encoding: 'yuyv',
      step: 4,
      data: grey422,
    }) as Uint8ClampedArray;
    expect([...yuv]).toEqual([100, 100, 100, 255, 200, 200, 200, 255]);
    expect(pixelsOf({ ...base, encoding: 'h264', step: 6, data: depth })).toBe(
      'images in h264 are not shown',
    );
    expect(pixelsOf({ ...base, encoding: 'rgb8', step: 9, data: depth })).toContain('ends after 6 bytes');
    expect(pixelsOf({ ...base, encoding: 'rgb8', step: 1, data: depth })).toContain('rows of 1 bytes');
  });
});

describe('topics', () => {
  it('are measured over some seconds; what is no longer measured is forgotten', () => {
    const book = new TopicBook();
    const POINT = 'geometry_msgs/msg/PointStamped';
    const channel = channelOf('/p', POINT);
    book.look(['/p'], 0);
    expect(book.row(channel, 0)).toMatchObject({ type: POINT, rate: undefined, silentMs: undefined });
    for (let ms = 0; ms < 8_000; ms += 100) {
      const sample = sampleOf('/p', POINT, {}, ms / 1000, ms);
      book.take(sample);
      if (ms % 1_000 === 0) book.look(['/p'], ms);
    }
    const row = book.row(channel, 8_000);
    expect(row.rate).toBeCloseTo(10, 0);
    expect(row.bytes! / row.rate!).toBeCloseTo(encodeAny(POINT, {}).length);
    expect(row.silentMs).toBe(100);
    for (let ms = 8_000; ms < 16_000; ms += 1_000) book.look(['/p'], ms);
    expect(book.row(channel, 16_000).rate).toBe(0);
    book.look([], 17_000);
    expect(book.row(channel, 17_000).rate).toBeUndefined();
  });

  it('logs and diagnostics are bounded, filtered, the newest or the worst first', () => {
    const log = new LogBook();
    for (let i = 0; i < 3_000; i++) {
      const line = { level: i % 2 ? 40 : 20, name: 'planner', msg: `line ${i}` };
      log.take(sampleOf('/rosout', 'rcl_interfaces/msg/Log', line));
    }
    expect(log.lines(0, '', 5_000)).toHaveLength(1_000);
    expect(log.lines(40, 'LINE 299').map(({ text }) => text)).toEqual(
      [9, 7, 5, 3, 1].map((n) => `line 299${n}`),
    );
    const book = new DiagnosisBook();
    const status = (name: string, level: number, message: string) => ({ name, level, message, values: [] });
    for (const row of [status('laser', 0, 'fine'), status('motor', 1, 'warm'), status('motor', 2, 'hot')])
      book.take(sampleOf('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', { status: [row] }));
    expect(book.all().map(({ name, message }) => `${name} ${message}`)).toEqual(['motor hot', 'laser fine']);
  });
});

it('an axis has the digits that distinguish its values, and no negative zero', () => {
  expect(axisTexts([-0.0002, -0.0001, -1e-20, 0.0001])).toEqual(['-0.0002', '-0.0001', '0.0000', '0.0001']);
  expect(axisTexts([0, 0.25, 0.5])).toEqual(['0.00', '0.25', '0.50']);
  expect(axisTexts([-50, 0, 50])).toEqual(['-50', '0', '50']);
  expect(axisTexts([-2e-9, 0, 2e-9])).toEqual(['-2e-9', '0', '2e-9']);
});
