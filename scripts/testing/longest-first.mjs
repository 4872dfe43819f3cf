// The order of the test files: the longest first, so that all workers end at about the same time. Workers take the next
// file when they are free. seconds.json has the seconds of each longer file, as a whole run measured them; `npm test`
// writes those of its own run beside its output. A file that is not listed counts as a short one.
import { BaseSequencer } from 'vitest/node';
import { secondsOfFiles } from './seconds.mjs';

const UNLISTED_S = 1;

export class LongestFirst extends BaseSequencer {
  async sort(files) {
    const seconds = secondsOfFiles();
    const of = ({ moduleId }) => {
      const name = moduleId.slice(moduleId.lastIndexOf('/test/') + 1);
      return seconds[name] ?? UNLISTED_S;
    };
    return files.toSorted((a, b) => of(b) - of(a) || a.moduleId.localeCompare(b.moduleId));
  }
}
