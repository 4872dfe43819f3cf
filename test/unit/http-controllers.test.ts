import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControllerView, EdgeError, METHODS } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

const view: ControllerView = {
  ...{
    name: 'arm',
    policy: '',
    policy_hash: 'ab',
    hz: 100,
    state: 'starved',
    reason: 'no action',
    steps: 10,
  },
  ...{ starved: 1, clamped: 2, refused: 0, chunks: 3, turned_down: { late: 2 }, scheduling: 'fifo' },
  stale: { front: Number.POSITIVE_INFINITY, state: 250 },
  ...{ inference_p50_ms: 1, inference_p99_ms: 2, late_p99_ms: undefined, late_max_ms: undefined },
  late_net_p99_ms: undefined,
};
const shown = {
  ...{
    name: 'arm',
    policy: '',
    policy_hash: 'ab',
    hz: 100,
    state: 'starved',
    reason: 'no action',
    steps: 10,
  },
  ...{
    starved: 1,
    clamped: 2,
    refused: 0,
    chunks: 3,
    turned_down: { late: 2 },
    scheduling: 'fifo',
    stale: { front: null, state: 250 },
  },
  ...{ inference_p50_ms: 1, inference_p99_ms: 2 },
};

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

it('have their figures at /metrics, by name; what is not known is left out', async () => {
  rig.answers.set(METHODS.execution.controllerList, async () => [{ ...view, late_max_ms: 4 }]);
  const lines = (await (await rig.get('/metrics')).text()).split('\n');
  expect(lines).toContain('auraison_controller_steps_total{controller="arm"} 10');
  expect(lines).toContain('auraison_controller_starved_total{controller="arm"} 1');
  expect(lines).toContain('auraison_controller_limited_total{controller="arm"} 2');
  expect(lines).toContain('auraison_controller_running{controller="arm"} 1');
  expect(lines).toContain('auraison_controller_inference_seconds{controller="arm",quantile="0.99"} 0.002');
  expect(lines).toContain('auraison_controller_late_seconds{controller="arm",quantile="1",net="no"} 0.004');
  expect(lines.filter((line) => line.startsWith('auraison_controller_late_seconds'))).toHaveLength(1);
  // The scrape is whole while the cell that knows them is down.
  rig.answers.set(METHODS.execution.controllerList, async () => {
    throw new EdgeError('cell.unavailable', { operation: 'request', subject: 'execution' });
  });
  const later = await (await rig.get('/metrics')).text();
  expect(later).toContain('auraison_cell_up');
  expect(later).not.toContain('controller="arm"');
});

describe('controllers over the API', () => {
  it('are listed; what never came has no age, and what is not known is left out', async () => {
    rig.answers.set(METHODS.execution.controllerList, async () => [view]);
    const answer = await rig.get('/v1/controllers');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ controllers: [shown] });
  });

  it('are started with a task and stopped with a reason', async () => {
    const asked: unknown[] = [];
    rig.answers.set(METHODS.execution.controllerStart, async (body) => {
      asked.push(body);
      return view;
    });
    rig.answers.set(METHODS.execution.controllerStop, async (body) => {
      asked.push(body);
      return [view];
    });
    expect(await (await rig.post('/v1/controllers/arm/start', { task: 'pick', seconds: 3 })).json()).toEqual(
      shown,
    );
    expect((await rig.post('/v1/controllers/arm/stop', {})).status).toBe(200);
    expect(asked).toEqual([
      { controller: 'arm', task: 'pick', seconds: 3 },
      { controller: 'arm', reason: 'asked for through the API', by: 'operator' },
    ]);
  });

  it('that were stopped without a measurement that the robot stands say so', async () => {
    rig.answers.set(METHODS.execution.controllerList, async () => [view]);
    rig.answers.set(METHODS.execution.controllerStop, async () => {
      throw new EdgeError('robot.unreachable', {
        operation: 'stop',
        subject: 'arm',
        message: 'joints are silent',
      });
    });
    const answer = await rig.post('/v1/controllers/arm/stop', {});
    const warnings = [expect.stringContaining('joints are silent')];
    expect([answer.status, await answer.json()]).toEqual([200, { ...shown, confirmed: false, warnings }]);
  });

  it('that are refused say why, and what does not fit is not asked', async () => {
    rig.answers.set(METHODS.execution.controllerStart, async () => {
      throw new EdgeError('lease.held', { operation: 'acquire-lease', subject: 'policy' });
    });
    const refused = await rig.post('/v1/controllers/arm/start', {});
    expect(refused.status).toBe(409);
    for (const body of [{ seconds: 0 }, { seconds: '3' }, { speed: 9 }])
      expect((await rig.post('/v1/controllers/arm/start', body)).status).toBe(400);
  });
});
