import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** All that the launcher gets of an environment: what the program gets is set inside of the sandbox. */
export const LAUNCHER_ENV: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};

/** The first program of this name on a search path; undefined: none. An absolute path stands for itself. */
export function findProgram(name: string, searchPath: string): string | undefined {
  const places = isAbsolute(name)
    ? [name]
    : searchPath
        .split(delimiter)
        .filter((folder) => isAbsolute(folder))
        .map((folder) => join(folder, name));
  return places.find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
