// What of an installed package a robot never reads, by its place in node_modules. Each rule says why.
import { posix } from 'node:path';

/** Folders that hold what only developers of a package use. Some packages have code in `test` or `docs`: see `KEPT`. */
const DEVELOPERS = /\/(?:test|tests|__tests__|example|examples|docs|\.github|coverage)\//;
/** Packages whose folder of that name is read at run time. */
const KEPT = [
  // Pi's system prompt names its own documents for agents that read them.
  /^@earendil-works\/pi-coding-agent\/(?:docs|examples)\//,
];
const TYPES = /\.d\.[cm]?ts$/;
const NATIVE_SOURCES = /\.(?:h|hh|hpp|hxx|c|cc|cpp|cxx|o|a|obj|lib|pdb|exp)$/;
/** Read by compilers, linters, git and npm's publication, never at run time. */
const SETTINGS =
  /^\.(?:npmignore|gitignore|gitattributes|editorconfig|nycrc|eslint|prettier|travis|jshint|taprc|mailmap|swcrc|babelrc)|\.tsbuildinfo$|^binding\.gyp$/;
const LICENCE = /(?:^|\/)(?:licen[cs]e|copying|notice|third[-_]?party)[^/]*$/i;

/**
 * Says why a file is left out, or undefined: it stays. `path` is relative to the innermost node_modules, with `/`.
 * `target` names the robot: `arch` as Node says it (x64, arm64), `libc` glibc or musl, `zeromq` the folder of its
 * addon (see `zeromqAddon`), `gpu` true where CUDA and TensorRT of ONNX Runtime stay.
 */
export function reasonToLeave(path, target) {
  if (LICENCE.test(path)) return undefined;
  const name = posix.basename(path);
  if (TYPES.test(name)) return 'declarations of types';
  if (name.endsWith('.map')) return 'source maps';
  return (
    otherPlatform(path, target) ?? buildInputs(path, name) ?? otherCopies(path) ?? developersOnly(path, name)
  );
}

function otherPlatform(path, { arch, zeromq: addon, gpu }) {
  const why = 'binaries for other platforms';
  const onnx = /^onnxruntime-node\/bin\/napi-v\d+\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path);
  if (onnx !== null) {
    if (onnx[1] !== 'linux' || onnx[2] !== arch) return why;
    return !gpu && /providers_(?:cuda|tensorrt)/.test(onnx[3]) ? 'CUDA and TensorRT' : undefined;
  }
  const zeromq = /^zeromq\/build\/([^/]+)\/([^/]+)\/node\/([^/]+)\//.exec(path);
  if (zeromq !== null) {
    const fits = zeromq[1] === 'linux' && zeromq[2] === arch;
    return fits && (addon === undefined || zeromq[3] === addon) ? undefined : why;
  }
  const prebuilt = /\/prebuilds\/([^/]+)\/([^/]+)$/.exec(path);
  if (prebuilt !== null && (prebuilt[1] !== `linux-${arch}` || prebuilt[2].includes('electron'))) return why;
  return undefined;
}

/** Of `zeromq/build/linux/<arch>/node`: the newest addon for this C library that is not newer than Node's modules (`abi`). */
export function zeromqAddon(folders, abi, libc) {
  const fitting = folders.flatMap((folder) => {
    const found = /^(glibc|musl)-(\d+)-Release$/.exec(folder);
    return found?.[1] === libc && Number(found[2]) <= abi ? [{ folder, abi: Number(found[2]) }] : [];
  });
  return fitting.sort((a, b) => b.abi - a.abi)[0]?.folder;
}

function buildInputs(path, name) {
  if (/^node-linux-[^/]+\/(?:include|share)\//.test(path)) return 'headers of Node';
  if (NATIVE_SOURCES.test(name)) return 'sources and headers of native code';
  if (/^(?:@esbuild\/|esbuild\/bin\/)/.test(path)) return 'a bundler that no part of this calls';
  if (/^node-gyp\/|^cmake-ts\/(?:build\/main|src\/)|^@babel\/(?!runtime\/)|^node-addon-api\//.test(path))
    return 'build tools';
  if (/\.(?:sh|bash)$/.test(name) || /^\.bin\//.test(path)) return 'build tools';
  return undefined;
}

/** The same library once more, in a form that Node does not load here. */
function otherCopies(path) {
  const why = 'copies for browsers and other loaders';
  if (/^@cedar-policy\/cedar-wasm\/(?:web|esm)\//.test(path)) return why;
  if (/^@mujoco\/mujoco\/mt\//.test(path)) return why;
  if (/^@google\/genai\/dist\/(?:web\/|vertex_internal\/|index\.)/.test(path)) return why;
  if (/^@opentelemetry\/[^/]+\/build\/esnext\//.test(path)) return why;
  if (/^@(?:aws-sdk|smithy|aws-crypto)\/[^/]+\/dist-(?:es|types)\//.test(path)) return why;
  if (/^(?:highlight\.js\/es|hono\/dist\/cjs)\//.test(path)) return why;
  if (/^rxjs\/(?:dist\/(?:esm|esm5|bundles|types)|src)\//.test(path)) return why;
  // Node's condition of the package is dist/index.js, whatever loads it.
  if (/^yaml\/browser\//.test(path)) return why;
  // Whatever loads these here does so by import, which finds the copies as modules.
  if (/^(?:openai\/(?!internal\/auth\/)|@anthropic-ai\/sdk\/).*\.js$/.test(path)) return why;
  if (
    /^(?:zod|@a2a-js\/sdk|@google\/genai|@opentelemetry\/(?!api\/)[^/]+|@modelcontextprotocol\/[^/]+)\/.*\.cjs$/.test(
      path,
    )
  )
    return why;
  if (/^@modelcontextprotocol\/sdk\/dist\/cjs\/.*\.js$/.test(path)) return why;
  if (/^hash-wasm\/dist\/[^/]+\.min\.js$/.test(path)) return why;
  if (/^mqtt\/dist\//.test(path)) return why;
  if (/^web-streams-polyfill\/dist\/polyfill\./.test(path)) return why;
  return undefined;
}

function developersOnly(path, name) {
  if (SETTINGS.test(name)) return 'settings of the tools of developers';
  // Colours for web pages; what runs here prints to terminals.
  if (/^highlight\.js\/(?:styles|scss)\//.test(path)) return 'copies for browsers and other loaders';
  // A game in the terminal: of the examples that Pi's system prompt names the only one with large binaries.
  if (/^@earendil-works\/pi-coding-agent\/examples\/extensions\/doom-overlay\//.test(path))
    return 'tests and examples';
  if (/^(?:changelog|history|readme)[^/]*\.(?:md|markdown|txt)$/i.test(name)) return 'read-me files';
  if (DEVELOPERS.test(`/${path}`) && !KEPT.some((kept) => kept.test(path))) return 'tests and examples';
  if (/^@earendil-works\/pi-coding-agent\/docs\/images\//.test(path)) return 'tests and examples';
  if (/^secure-json-parse\/benchmarks\/|^fastify\/integration\/|^pino\/(?:index\.html|docs\w*\/)/.test(path))
    return 'tests and examples';
  // Sources that were translated: their translation stands beside them.
  if (/^(?:openai|@anthropic-ai\/sdk|zod|typebox|@octokit\/[^/]+)\/src\//.test(path))
    return 'sources that were translated';
  return undefined;
}
