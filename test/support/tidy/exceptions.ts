/**
 * What the rules let be, as `file: word`, each with its reason; `(2)` where a file has two such places. A place that is
 * gone has to leave the list too, and a listed file may do nothing but its words. Sorted.
 */
type Exceptions = Readonly<Record<string, string>>;

/** Programs that a room starts beside the arrow. */
export const STARTED: Exceptions = {
  'daemon/compose/bridges.ts: ../../cli/entry.ts':
    'a bridge is the command line in a process of its own, as a person would start it',
};

/** Loads of what no reader sees in the source. */
export const COMPUTED_LOADS: Exceptions = {
  'adapters/extensions/load-module.ts: computed': 'an extension lies where the configuration says',
  'adapters/ros/host/preflight.ts: computed': 'rclnodejs lies in the ROS installation of the host',
  'adapters/zenoh/native-loader.ts: computed (2)': 'the native driver lies in one of several places',
};

/** Ways to load code past the imports. */
export const UNSEEN_LOADS: Exceptions = {
  'adapters/cedar/wasm.ts: createRequire': 'a new instance of the module needs the cache of `require`',
  'adapters/extensions/load-module.ts: registerHooks': 'an extension is read again with what it imports',
  'adapters/packages/load-module.ts: createRequire': 'the code of a package is loaded in one go',
  'adapters/packages/load-module.ts: registerHooks': 'a package finds the contract by its public name',
  'adapters/ros/host/preflight.ts: dlopen': 'the addon of rclnodejs is tried before its package is loaded',
  'adapters/zenoh/native-loader.ts: createRequire': 'native code has no import',
  'adapters/zenoh/native-loader.ts: require': 'native code has no import',
  'daemon/cell/near-modules.ts: registerHooks': 'cells find their own modules without asking the disk',
  'daemon/cell/shrink-heap.ts: node:vm': 'the collector of V8 has no other name where Node hides it',
};

/** Clocks and timers outside of the adapter of the clock. */
export const CLOCKS: Exceptions = {
  'adapters/zenoh/zenoh-build.mjs: Date.now (2)': 'shows progress of a build, before anything is installed',
  'adapters/zenoh/zenoh-build.mjs: setInterval': 'shows progress of a build, before anything is installed',
  'daemon/cell/shrink-heap.ts: setTimeout (2)': 'there is no clock before there is a cell',
  'daemon/supervisor/sd-notify.ts: process.hrtime': 'systemd compares it with its own CLOCK_MONOTONIC',
  'io/attached/api-caller.ts: AbortSignal.timeout': 'the limit of one request over HTTP, held by `fetch`',
};

/** Tests that a host without their means does not run. Each says so in its name or its output. */
export const TEST_MARKS: Exceptions = {
  'test/conformance/key-space-options.ts: runIf': 'one driver of Zenoh has no cache of values',
  'test/integration/acp.test.ts: runIf': 'needs opencode, which npm may not find for this platform',
  'test/integration/disk-full.test.ts: runIf': 'needs the right to mount a small disk',
  'test/integration/disk-full.test.ts: skip': 'says why no small disk can be mounted; fails in CI as root',
  'test/integration/power-cut-recorder.test.ts: runIf': 'needs the right to mount a disk that loses writes',
  'test/integration/power-cut-recorder.test.ts: skip': 'says why none can be mounted; fails in CI as root',
  'test/integration/power-cut.test.ts: runIf': 'needs the right to mount a disk that loses writes',
  'test/integration/power-cut.test.ts: skip': 'says why none can be mounted; fails in CI as root',
  'test/integration/recorder-disk-full.test.ts: skip': 'needs the right to mount a small file system',
  'test/integration/stock-clients.test.ts: skipIf': 'Prometheus is not published for every platform',
  'test/integration/zenoh-native-units.test.ts: skipIf': 'needs a Rust compiler',
  'test/integration/zenoh-tight-memory.test.ts: skipIf': 'needs the right to mount a small /dev/shm',
  'test/simulation/disk-full-daemon.test.ts: runIf': 'needs the right to mount a small disk',
  'test/simulation/disk-full-daemon.test.ts: skip':
    'says why no small disk can be mounted; fails in CI as root',
  'test/support/debian-package.ts: skip': 'needs the right to boot a system of its own; fails in CI as root',
  'test/unit/cli-installed.test.ts: skipIf': 'only root can give a folder to another user',
  'test/unit/mcp-install.test.ts: runIf': '/proc is of Linux',
  'test/unit/python-package.test.ts: skipIf': 'needs pip',
};

/** Who reaches the robot from the execution cell: each asks the door first, or sends what no robot hears. */
export const ROBOT_CALLS: Exceptions = {
  'daemon/execution/ros-goals.ts: send': 'sends goals that `ros-requests.ts` has had judged',
  'daemon/execution/ros-requests.ts: call': 'asks the door in the same function',
  'daemon/execution/ros-requests.ts: change': 'is refused after a stop; changes no command',
  'daemon/execution/ros-requests.ts: set': 'is refused after a stop; sets parameters of nodes',
  'daemon/execution/routes/beacons.ts: put': 'puts under a name of this project, which no robot hears',
  'daemon/execution/routes/zenoh-outlet.ts: put': 'asks before each value whether a robot hears its key',
  'daemon/execution/story/executed-goals.ts: send': 'records what others send',
};

/** Sinks of a robot and makers of permits outside of the door. */
export const SINKS: Exceptions = {
  'daemon/execution/safety/safety-desk.ts: Door': 'makes the one door of the cell',
};
