import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TextLookup } from '../../../formats/ros2/index.ts';

/**
 * Definition files under folders, the earlier folder wins, as an overlay does. A folder may be an installation
 * (`/opt/ros/jazzy`, with `share/` in it), a folder of packages (`share` itself, `src` of a workspace), or one package.
 */
export function definitionFiles(folders: readonly string[]): TextLookup {
  return (type) => {
    const match = /^(\w+)\/(msg|srv|action)\/(\w+)$/.exec(type);
    if (!match) return undefined;
    const [, pkg = '', kind = '', name = ''] = match;
    const file = join(kind, `${name}.${kind}`);
    for (const folder of folders) {
      const places = [join(folder, 'share', pkg, file), join(folder, pkg, file)];
      if (basename(folder) === pkg) places.push(join(folder, file));
      for (const place of places) {
        const text = read(place);
        if (text !== undefined) return text;
      }
    }
    return undefined;
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
