import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type {
  Sandbox,
  SandboxCommand,
  SandboxedCommand,
  SandboxProbe,
  SandboxProfile,
} from '../../contract/core.ts';
import type { HostParts } from './launcher.ts';
import { run } from './probe.ts';
import { findProgram, LAUNCHER_ENV } from './programs.ts';
import { refused, unavailable } from './refuse.ts';
import { Scratch } from './scratch.ts';

/** Seconds that a pod may take to start, its image included. */
const START_S = 120;
/** Seconds after which a cluster removes what a killed daemon left. */
const KEEP_S = 300;
const DAY_S = 86_400;
/** Makes the job, waits for its pod and becomes a client that is attached to its streams. */
const ATTACH = [
  '"$1" apply --namespace "$2" --filename "$3" >&2 || exit 125',
  '"$1" wait --namespace "$2" --for=condition=Ready --selector "job-name=$4" --timeout="$5s" pod >&2 || exit 125',
  'exec "$1" attach --namespace "$2" --stdin --quiet "job/$4"',
].join('\n');

/** A job of a cluster for each program, reached by kubectl. */
export class KubernetesJobs implements Sandbox {
  readonly provider = 'kubernetes';
  readonly #parts: HostParts;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  async probe(): Promise<SandboxProbe> {
    const kubectl = this.#client();
    if (kubectl === undefined)
      return { ready: false, detail: 'kubectl was not found', fix: 'install kubectl' };
    const failed = await run(
      kubectl,
      ['auth', 'can-i', 'create', 'jobs.batch', '--request-timeout=5s'],
      clusterEnv(),
    );
    return failed === undefined
      ? { ready: true, detail: 'the cluster lets this user make jobs; limits by the cluster', fix: '' }
      : { ready: false, detail: failed, fix: 'name a cluster and a user that may make jobs in KUBECONFIG' };
  }

  async prepare(profile: SandboxProfile, command: SandboxCommand): Promise<SandboxedCommand> {
    const kubectl = this.#client();
    if (kubectl === undefined) throw unavailable(this.provider, 'kubectl was not found', 'install kubectl');
    const name = `auraison-${randomBytes(8).toString('hex')}`;
    const manifest = jobManifest(name, profile, command);
    const scratch = Scratch.make(this.#parts.scratchBase);
    const file = scratch.write('job.json', JSON.stringify(manifest));
    let released: Promise<void> | undefined;
    const release = async () => {
      await run(
        kubectl,
        [
          'delete',
          '--namespace',
          profile.namespace,
          '--filename',
          file,
          '--ignore-not-found',
          '--wait=false',
        ],
        clusterEnv(),
      );
      scratch.remove();
    };
    return {
      file: '/bin/sh',
      args: ['-c', ATTACH, 'job', kubectl, profile.namespace, file, name, `${START_S}`],
      ...{ env: clusterEnv(), folder: '/', limitedBy: 'the cluster' },
      release: () => (released ??= release().catch(() => {})),
    };
  }

  #client(): string | undefined {
    return findProgram('kubectl', this.#parts.searchPath ?? LAUNCHER_ENV['PATH']!);
  }
}

function clusterEnv(): Record<string, string> {
  const names = ['KUBECONFIG', 'HOME', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT'];
  const given = names.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]!]],
  );
  return { ...LAUNCHER_ENV, ...Object.fromEntries(given) };
}

/** Secret, network policy and job as one list. Throws `config.invalid` for what a cluster cannot hold. */
export function jobManifest(name: string, profile: SandboxProfile, command: SandboxCommand): object {
  const { readOnly, readWrite, namespace, secrets } = profile;
  const files = [...readOnly, ...readWrite, ...(command.readOnly ?? [])];
  if (files.length > 0)
    throw refused(profile.name, `a cluster has no ${files[0]} of this host`, 'bring the files in the image');
  const labels = { 'app.kubernetes.io/managed-by': 'auraison-edge', 'auraison.io/sandbox': name };
  const metadata = { name, namespace, labels };
  const data = Object.fromEntries(secrets.map((secret) => [secret.name, secret.read()]));
  const list = [
    { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData: data },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector: { matchLabels: { 'auraison.io/sandbox': name } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [],
        egress: egressOf(profile, command),
      },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata,
      spec: {
        backoffLimit: 0,
        completions: 1,
        parallelism: 1,
        ttlSecondsAfterFinished: KEEP_S,
        // A daemon that was killed cannot delete it.
        activeDeadlineSeconds: profile.time > 0 ? Math.ceil(profile.time / 1_000) : DAY_S,
        template: { metadata: { labels }, spec: podOf(name, profile, command) },
      },
    },
  ];
  return { apiVersion: 'v1', kind: 'List', items: list };
}

function egressOf({ name, network }: SandboxProfile, { doors = [] }: SandboxCommand): readonly object[] {
  return [...network, ...doors].map(({ host, port }) => {
    const version = isIP(host);
    if (version === 0)
      throw refused(
        name,
        `a network policy of Kubernetes knows no names: ${host}`,
        'list addresses, for example "10.0.0.7:443"',
      );
    return {
      to: [{ ipBlock: { cidr: `${host}/${version === 4 ? 32 : 128}` } }],
      ports: [{ protocol: 'TCP', port }],
    };
  });
}

function podOf(name: string, profile: SandboxProfile, { file, args, env, folder }: SandboxCommand): object {
  const { memory, processor, temporary, image, secrets } = profile;
  const limits = {
    memory: `${memory}`,
    'ephemeral-storage': `${temporary}`,
    ...(processor > 0 ? { cpu: `${Math.ceil(processor * 1_000)}m` } : {}),
  };
  const inFiles = secrets.filter(({ as }) => as === 'file');
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    terminationGracePeriodSeconds: 1,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'program',
        image,
        command: [file],
        args,
        stdin: true,
        stdinOnce: true,
        workingDir: folder ?? '/tmp',
        env: [
          ...Object.entries(env)
            .filter(([key]) => key !== 'PATH')
            .map(([key, value]) => ({ name: key, value })),
          ...secrets
            .filter(({ as }) => as === 'variable')
            .map((secret) => ({
              name: secret.name,
              valueFrom: { secretKeyRef: { name, key: secret.name } },
            })),
        ],
        resources: { limits, requests: limits },
        securityContext: {
          allowPrivilegeEscalation: false,
          privileged: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'tmp', mountPath: '/tmp' },
          ...(inFiles.length > 0 ? [{ name: 'secrets', mountPath: '/run/secrets', readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: `${temporary}` } },
      ...(inFiles.length > 0
        ? [
            {
              name: 'secrets',
              secret: {
                secretName: name,
                defaultMode: 0o400,
                items: inFiles.map((one) => ({ key: one.name, path: one.name })),
              },
            },
          ]
        : []),
    ],
  };
}
