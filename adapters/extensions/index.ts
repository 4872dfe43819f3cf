export { CallNote } from './call-note.ts';
export { ExtensionHost, type HostParts, type SessionExtension } from './extension-host.ts';
