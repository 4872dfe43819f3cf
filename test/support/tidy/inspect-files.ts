import { CLOCKS, PRINTS } from './clocks.ts';
import { HANDED_ON } from './handed-on.ts';
import { type Import, importRule } from './imports.ts';
import { TEST_MARKS } from './marks.ts';
import { Parsed } from './parsed.ts';
import { ROBOT_CALLS, SINKS_OUTSIDE, UNASKED_CALLS } from './robot.ts';
import { inspect } from './rule.ts';
import { UNSEEN_LOADS } from './unseen-loads.ts';

/** What the files load, and where they break a rule. `texts`: files that stand for those of the disk. */
export function inspectFiles(names: readonly string[], texts?: ReadonlyMap<string, string>) {
  const imports: Import[] = [];
  const parsed = new Parsed(names, texts);
  try {
    const found = inspect(parsed, names, {
      computed: importRule(imports),
      unseenLoads: UNSEEN_LOADS,
      handedOn: HANDED_ON,
      clocks: CLOCKS,
      prints: PRINTS,
      testMarks: TEST_MARKS,
      robotCalls: ROBOT_CALLS,
      unaskedCalls: UNASKED_CALLS,
      sinks: SINKS_OUTSIDE,
    });
    return { imports, found };
  } finally {
    parsed.close();
  }
}
