import { EdgeError } from '../../contract/core.ts';

/** A profile or command that a provider cannot hold. */
export function refused(profile: string, message: string, hint: string): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'prepare sandbox',
    subject: `sandboxes.${profile}`,
    message,
    hint,
  });
}

/** A provider that does not work on this host. */
export function unavailable(provider: string, message: string, hint: string): EdgeError {
  return new EdgeError('host.missing', { operation: 'prepare sandbox', subject: provider, message, hint });
}
