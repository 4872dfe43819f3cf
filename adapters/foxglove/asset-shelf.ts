import { open, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { LIMITS } from '../../contract/core.ts';

/** Descriptions, meshes, materials and textures: what a 3D view asks for, and nothing else of this host. */
const KINDS = /\.(?:urdf|xacro|sdf|dae|stl|obj|mtl|glb|gltf|bin|png|jpe?g|tiff?|webp)$/i;
/** The description of the robot of this daemon. */
export const OWN_URDF = 'package://auraison/robot.urdf';

export type AssetShelfParts = {
  /** Folders whose files clients may read: `file://` addresses below them. */
  readonly folders: readonly string[];
  /** Folders with ROS packages below `share/`, as in AMENT_PREFIX_PATH. */
  readonly prefixes: readonly string[];
  /** The description of this robot as XML; undefined: it has none. */
  urdf(): Promise<string | undefined>;
};

/** Files for 3D views, by `package://` and `file://` addresses. Links are followed before it is decided what lies where. */
export class AssetShelf {
  readonly #parts: AssetShelfParts;

  constructor(parts: AssetShelfParts) {
    this.#parts = parts;
  }

  /** The file, or why it is not given. Never rejects. */
  async fetch(uri: string): Promise<Uint8Array | { readonly error: string }> {
    if (uri === OWN_URDF) {
      const urdf = await this.#parts.urdf().catch(() => undefined);
      return urdf === undefined ? { error: 'this robot has no URDF: set gate.urdf' } : Buffer.from(urdf);
    }
    if (!KINDS.test(uri)) return { error: `${short(uri)}: files of this kind are not given` };
    for (const { root, path } of this.#places(uri)) {
      const found = await readBelow(root, path);
      if (found) return found;
    }
    return { error: `${short(uri)}: not found in the packages of this host or in foxglove.assets` };
  }

  #places(uri: string): { readonly root: string; readonly path: string }[] {
    const { folders, prefixes } = this.#parts;
    const [, pkg, rest] = /^package:\/\/([A-Za-z]\w*)\/(.+)$/.exec(uri) ?? [];
    if (pkg !== undefined && rest !== undefined) {
      const own = folders.map((folder) => ({ root: join(folder, pkg), path: rest }));
      return [...own, ...prefixes.map((prefix) => ({ root: join(prefix, 'share', pkg), path: rest }))];
    }
    const [, path] = /^file:\/\/(\/.+)$/.exec(uri) ?? [];
    return path === undefined ? [] : folders.map((root) => ({ root, path: relative(root, path) }));
  }
}

async function readBelow(
  root: string,
  path: string,
): Promise<Uint8Array | { readonly error: string } | undefined> {
  try {
    const [base, file] = [await realpath(root), await realpath(join(root, decodeURIComponent(path)))];
    const inside = relative(base, file);
    if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
      return undefined;
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > LIMITS.ATTACH_ASSET_BYTES_MAX)
        return {
          error: `${short(path)} has ${size} bytes; at most ${LIMITS.ATTACH_ASSET_BYTES_MAX} are given`,
        };
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

function short(text: string): string {
  return text.slice(0, 200);
}
