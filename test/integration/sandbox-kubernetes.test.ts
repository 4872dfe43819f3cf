import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { jobManifest, KubernetesJobs } from '../../adapters/sandbox/index.ts';
import type { SandboxCommand, SandboxProfile } from '../../contract/index.ts';
import { freshDir, until } from '../support/daemon.ts';
import { SandboxRig, TESTED } from '../support/sandbox-rig.ts';

/** Manifests against the schemas of Kubernetes. No cluster is here: the client is one that notes what it is asked. */
const COMMAND: SandboxCommand = { file: 'serve', args: ['--quiet'], env: { PATH: '/bin', WORD: 'a: word' } };
const PROFILE: SandboxProfile = {
  ...TESTED,
  image: 'registry.example/tool@sha256:0',
  processor: 0.5,
  time: 90_000,
  network: [{ name: '10.0.0.7', host: '10.0.0.7', port: 443 }],
  secrets: [
    { name: 'token', as: 'file', read: () => 'canary-file' },
    { name: 'API_KEY', as: 'variable', read: () => 'canary-variable' },
  ],
};

let dir: ReturnType<typeof freshDir>;
beforeEach(() => {
  dir = freshDir('sandbox-kubernetes');
});
afterEach(() => dir.remove());

describe('jobs of a cluster', () => {
  it('are what Kubernetes 1.28 and 1.37 take, strictly', () => {
    const python = execFileSync('bash', [join(import.meta.dirname, '..', 'peers', 'kubernetes.sh')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
    const validate = join(dirname(python), 'kubernetes-validate');
    for (const profile of [PROFILE, { ...PROFILE, network: [], secrets: [], processor: 0, time: 0 }]) {
      const { items } = jobManifest('auraison-1', profile, COMMAND) as { readonly items: readonly object[] };
      const files = items.map((item, index) => {
        const path = join(dir.path, `${index}.json`);
        writeFileSync(path, JSON.stringify(item));
        return path;
      });
      for (const version of ['1.28', '1.37'])
        execFileSync(validate, ['--strict', '--quiet', '-k', version, ...files], { stdio: 'pipe' });
    }
    // The validator finds faults at all.
    const wrong = join(dir.path, 'wrong.json');
    writeFileSync(wrong, JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', spec: { retries: 1 } }));
    expect(() => execFileSync(validate, ['--strict', wrong], { stdio: 'pipe' })).toThrow();
  });

  it('have every limit of the profile, no rights, and their secrets in no argument', () => {
    const text = JSON.stringify(jobManifest('auraison-1', PROFILE, COMMAND));
    const { items } = JSON.parse(text) as { readonly items: readonly Record<string, never>[] };
    const [secret, policy, job] = items as never as [
      { stringData: object },
      { spec: object },
      { spec: { template: { spec: { containers: object[] } } } },
    ];
    expect(secret.stringData).toEqual({ token: 'canary-file', API_KEY: 'canary-variable' });
    expect(policy.spec).toMatchObject({
      ingress: [],
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.7/32' } }], ports: [{ protocol: 'TCP', port: 443 }] }],
    });
    expect(JSON.stringify(job)).not.toContain('canary');
    expect(job.spec).toMatchObject({ activeDeadlineSeconds: 90, backoffLimit: 0 });
    expect(job.spec.template.spec).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
    });
    expect(job.spec.template.spec.containers[0]).toMatchObject({
      command: ['serve'],
      args: ['--quiet'],
      resources: { limits: { memory: `${TESTED.memory}`, cpu: '500m' } },
      securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    });
    expect(() =>
      jobManifest('a', { ...PROFILE, network: [{ name: 'a.example', host: 'a.example', port: 1 }] }, COMMAND),
    ).toThrow('a network policy of Kubernetes knows no names: a.example');
    expect(() => jobManifest('a', PROFILE, { ...COMMAND, readOnly: ['/srv'] })).toThrow(
      'no /srv of this host',
    );
  });

  it('are applied, awaited, attached to with their streams, and deleted', async () => {
    const bin = join(dir.path, 'bin');
    mkdirSync(bin);
    const asked = join(dir.path, 'asked');
    const client = `#!/bin/sh\necho "$1 $2 $3" >> ${asked}\n[ "$1" = attach ] && exec cat\nexit 0\n`;
    writeFileSync(join(bin, 'kubectl'), client);
    chmodSync(join(bin, 'kubectl'), 0o755);
    const rig = new SandboxRig(
      (parts) => new KubernetesJobs({ ...parts, clock: new SystemClock(), searchPath: bin }),
    );
    try {
      const held = await rig.sandbox.prepare({ ...PROFILE, namespace: 'robots' }, COMMAND);
      expect(JSON.stringify(held)).not.toContain('canary');
      const child = rig.start(held);
      child.stdin.end('through the pod');
      expect(await rig.ended(child)).toMatchObject({ code: 0, out: 'through the pod' });
      await held.release();
      const lines = () => readFileSync(asked, 'utf8').trim().split('\n');
      await until(() => lines().length === 4, 'the job is deleted');
      expect(lines()).toEqual(
        ['apply', 'wait', 'attach', 'delete'].map((verb) => `${verb} --namespace robots`),
      );
    } finally {
      rig.close();
    }
  });
});
