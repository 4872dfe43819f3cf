import type { AppModule, FlowDefinition, FlowState } from 'auraison-edge';

type Place = { readonly x_m: number; readonly y_m: number };
type Params = { readonly dock: Place; readonly place: Place; readonly laps: number };
type Facts = { readonly laps: number };

/** Drives to a place in the map frame, metres. */
function leg(about: string, placeOf: (params: Params) => Place, lapsAfter: number) {
  const state: FlowState<Facts, Params> = {
    about,
    deadlineMs: 300_000,
    async enter({ robot, params, facts, signal }) {
      const { x_m, y_m } = placeOf(params);
      const pose = { x: x_m, y: y_m, yaw: 0 };
      const result = await robot.navigate({ pose, tolerance: 0.25, timeoutMs: 120_000 }, signal);
      if (result.outcome !== 'reached') return { event: 'blocked', reason: result.message };
      return {
        event: 'arrived',
        reason: about,
        facts: { laps: facts.laps + lapsAfter },
        robotTime: result.time,
      };
    },
    on: {
      arrived: [
        { to: 'done', when: { name: 'all laps', test: (known, params) => known.laps >= params.laps } },
        { to: lapsAfter === 0 ? 'back' : 'out' },
      ],
      blocked: 'gave_up',
      error: 'gave_up',
      deadline: 'gave_up',
    },
  };
  return state;
}

const flow: FlowDefinition<Facts, Params> = {
  name: 'patrol',
  start: 'out',
  stepsMax: 1_000,
  begin: () => ({ laps: 0 }),
  states: {
    out: leg('drive to the place', ({ place }) => place, 0),
    back: leg('drive back to the dock', ({ dock }) => dock, 1),
    done: {
      about: 'all laps are driven',
      end: 'succeeded',
      conclude: (facts) => ({ reason: `${facts.laps} laps`, score: 1, summary: facts }),
    },
    gave_up: {
      about: 'the way is blocked',
      end: 'failed',
      conclude: (facts) => ({ reason: 'the way is blocked', summary: facts }),
    },
  },
};

export const application: AppModule = { flow };
