export { Bubblewrap } from './bubblewrap.ts';
export { ContainerEngine, containerArgs } from './containers.ts';
export { leadsHome } from './doors.ts';
export { jobManifest, KubernetesJobs } from './kubernetes.ts';
export type { HostParts } from './launcher.ts';
export { findLimitMode, makeGroup } from './limit-group.ts';
export { OciRuntime } from './oci.ts';
export { makeSandbox, SANDBOX_PROVIDERS, Sandboxes } from './sandboxes.ts';
export { Scratch, sweepScratch } from './scratch.ts';
