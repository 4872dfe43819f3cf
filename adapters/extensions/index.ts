export { ExtensionHost, type HostParts, type SessionExtension } from './extension-host.ts';
