import {
  type CellContext,
  type ConfigChange,
  canonicalJson,
  type KeySpace,
  LIMITS,
  TOPICS,
} from '../../contract/core.ts';
import type { PolicyRow } from '../config/policies.ts';
import type { Config } from '../config.ts';
import { servePolicyRequests } from '../execution/serving/desk-requests.ts';
import { ExecutionPolicyDesk } from '../execution/serving/policy-desk.ts';
import { PolicyDoor } from '../execution/serving/policy-door.ts';
import type { PolicySpec } from '../execution/serving/served-policy.ts';
import type { Settings } from '../settings.ts';
import { driveModelPath } from './policy.ts';
import { type PolicyMaker, type PolicyMakerDeps, REMOTE_MAKERS } from './remote-policies.ts';

/** The policy that drives the base, served where no other has this name. */
export const DRIVE_POLICY = 'drive';

/** How a policy of each kind is made. */
const MAKERS: Readonly<Record<PolicyRow['kind'], PolicyMaker>> = {
  ...REMOTE_MAKERS,
  async onnx({ path, device }, { clock, report }, whole) {
    const { OnnxPolicy } = await import('../../adapters/onnx/onnx-policy.ts');
    const options = {
      providers: device === 'cpu' ? [] : [device],
      onProvider: (provider: string, skipped: readonly { provider: string; why: string }[]) => {
        for (const one of skipped)
          report('warn', `${path}: ${one.provider} is not available`, { why: one.why, instead: provider });
      },
    };
    const load = () => OnnxPolicy.load(path, clock, options);
    // A working policy is replaced only by a working one. At the start of the daemon nothing waits for networks.
    if (whole) return load();
    const { LazyPolicy } = await import('../../formats/policy-wire/lazy-policy.ts');
    const { readModel } = await import('../../adapters/onnx/model-card.ts');
    return new LazyPolicy((await readModel(path)).description, clock, load);
  },
  async zenoh({ url, policy, timeout }, { clock, robot, keySpace }) {
    const { ZenohVlaPolicy } = await import('../../adapters/zenoh/vla-policy.ts');
    return ZenohVlaPolicy.connect({
      ...{ keySpace, key: url, caller: robot, clock, timeoutMs: timeout },
      policy: policy === '' ? undefined : policy,
    });
  },
};

export type Policies = {
  readonly desk: ExecutionPolicyDesk;
  readonly door: PolicyDoor;
  start(): Promise<void>;
  close(): Promise<void>;
};

/** The policy desk of this robot, by `[[policies]]`; a changed list counts without a restart. */
export function makePolicies(
  { config }: Settings,
  { clock, bus, report }: Pick<CellContext, 'clock' | 'bus' | 'report'>,
  keySpace: () => KeySpace | undefined,
): Policies {
  const deps = { clock, report, keySpace, robot: config.daemon.name };
  const desk = new ExecutionPolicyDesk({ clock, report, policies: policySpecs(config, deps) });
  const door = new PolicyDoor(desk, clock);
  servePolicyRequests(bus, desk, door);
  bus.onBroadcast(TOPICS.configChanged, (body) => {
    const { sections, config: changed } = body as ConfigChange;
    if (!sections.includes('policies')) return;
    void desk.apply(policySpecs(changed as Config, deps));
  });
  return {
    desk,
    door,
    start: () => desk.start(),
    async close() {
      door.close();
      await desk.close();
    },
  };
}

/** In the order of the configuration; the network that drives the base comes last, unless one is named as it is. */
export function policySpecs(config: Config, deps: PolicyMakerDeps): readonly PolicySpec[] {
  const own = config.policies.map((row) => specOf(row, deps));
  if (own.some(({ name }) => name === DRIVE_POLICY)) return own;
  return [...own, specOf({ ...DRIVE_ROW, path: driveModelPath(config) }, deps)];
}

const DRIVE_ROW: PolicyRow = {
  ...{ name: DRIVE_POLICY, kind: 'onnx', path: '', url: '', policy: '', card: '', token_file: '' },
  ...{ tls_ca: '', tls_cert: '', tls_key: '' },
  ...{ sha256: '', device: 'cpu', memory: 'own', timeout: 5_000, sessions: 256, queue: 8 },
};

function specOf(row: PolicyRow, deps: PolicyMakerDeps): PolicySpec {
  return {
    name: row.name,
    kind: row.kind,
    revision: canonicalJson(row),
    make: (whole = false) => MAKERS[row.kind](row, deps, whole),
    ...(row.device === 'tensorrt' ? { loadMs: LIMITS.POLICY_COMPILE_MS } : {}),
    sha256: row.sha256 === '' ? undefined : row.sha256,
    memory: row.memory,
    sessionsMax: row.sessions,
    queueMax: row.queue,
  };
}
