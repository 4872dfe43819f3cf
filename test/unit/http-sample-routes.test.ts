import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { METHODS, type RouteStatus } from '../../contract/index.ts';
import { executionStatus } from '../support/http-answers.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

const routeStatus: RouteStatus = {
  name: 'out',
  from: 'ros:/**',
  to: 'zenoh:fleet/{topic}',
  state: 'diverged',
  reason: 'less comes than was sent',
  messages: 4,
  bytes: 400,
  messages_per_second: 1,
  age_ms: 20,
  queued: 0,
  queued_bytes: 0,
  dropped: { denied: 1 },
  rebuilds: 2,
  topics: 1,
};
const status = {
  ...executionStatus,
  qosEvents: [{ topic: '/cmd_vel', direction: 'out', kind: 'deadline', count: 2 }],
  ledger: [
    { topic: '/scan', received: 10, written: 8, dropped: { queue_full: 2 } },
    { topic: '/scan', hop: 'route:out', received: 5, forwarded: 4, written: 0, dropped: { denied: 1 } },
  ],
  control: { hz: 20, ticks: 1, starved: 0, refused: 0, policy: 'onnx' },
  routes: [routeStatus],
};

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  rig.answers.set(METHODS.execution.status, async () => status);
});
afterEach(() => rig.stop());

describe('routes over the API', () => {
  it('come with the ledger of each hop, or with the reason why not', async () => {
    const answer = await rig.get('/v1/routes');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      routes: [routeStatus],
      ledger: [
        {
          topic: '/scan',
          hop: 'recorder',
          received: 10,
          forwarded: 0,
          written: 8,
          dropped: { queue_full: 2 },
        },
        { topic: '/scan', hop: 'route:out', received: 5, forwarded: 4, written: 0, dropped: { denied: 1 } },
      ],
    });
    rig.answers.delete(METHODS.execution.status);
    expect((await rig.get('/v1/routes')).status).toBe(503);
  });

  it('are in the metrics, by topic, hop and reason', async () => {
    const lines = (await (await rig.get('/metrics')).text()).split('\n');
    expect(lines).toContain(
      'auraison_ros_qos_events_total{topic="/cmd_vel",direction="out",kind="deadline"} 2',
    );
    expect(lines).toEqual(
      expect.arrayContaining([
        'auraison_samples_received_total{topic="/scan",hop="recorder"} 10',
        'auraison_samples_received_total{topic="/scan",hop="route:out"} 5',
        'auraison_samples_forwarded_total{topic="/scan",hop="route:out"} 4',
        'auraison_samples_dropped_total{topic="/scan",hop="route:out",reason="denied"} 1',
        'auraison_route_state{route="out",state="diverged"} 1',
        'auraison_route_state{route="out",state="up"} 0',
        'auraison_route_rebuilds_total{route="out"} 2',
      ]),
    );
  });
});
