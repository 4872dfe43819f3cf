/**
 * An agent that drives the robot there and back:
 *
 *     AURAISON_RUNTIME_TOKEN=$(auraison runtimes token workshop) node patrol.ts
 */
import { serve } from './auraison-runtime.ts';

const { AURAISON_URL = 'ws://127.0.0.1:7601', AURAISON_RUNTIME_TOKEN = '' } = process.env;

await serve(AURAISON_URL, AURAISON_RUNTIME_TOKEN, {
  patrol: async (run) => {
    const metres = Number(run.params['metres'] ?? 0.3);
    // After a cut the run starts in the phase it was in; what was done there is not done again.
    if (!run.resume) {
      run.say(`I drive ${metres} m.\n`);
      await run.call('robot.maneuver', { kind: 'drive', distance_m: metres });
      await run.phase('back', 'the first leg is done', { metres });
    }
    await run.call('robot.maneuver', { kind: 'spin', angle_rad: 3.14 });
    await run.call('robot.maneuver', { kind: 'drive', distance_m: metres });
    return `there and back, ${metres} m each`;
  },
});
