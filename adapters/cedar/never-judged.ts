import { STOP_TOOLS } from '../../contract/core.ts';
import type { PolicyFile } from './policy-text.ts';

/** Tools that only stop: they are called without a question to the policies. */
const NAMED = new RegExp(
  `\\bTool\\s*::\\s*"(${STOP_TOOLS.map((name) => name.replace('.', '\\.')).join('|')})"`,
  'g',
);

/**
 * What a person should know of policies that name a tool which is never judged: that has no effect. One text for each
 * place, with file and line. Pure; the files are valid.
 */
export function neverJudged(files: readonly PolicyFile[]): readonly string[] {
  return files.flatMap(({ file, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        [...line.replace(/^((?:[^"/]|"(?:[^"\\]|\\.)*"|\/(?!\/))*)\/\/.*$/, '$1').matchAll(NAMED)].map(
          ([, tool]) =>
            `${file}:${index + 1}: names ${tool}, which is never judged: what stops the robot or a run is always allowed`,
        ),
      ),
  );
}
