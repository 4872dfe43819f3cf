import { EdgeError } from '../../contract/core.ts';
import type { ApiCaller } from './api-caller.ts';

/**
 * Settles where this client may command the robot; rejects with what the API says where it may not. An order that names no
 * lease asks for nothing: it is refused for its form, or before for the rights of the client.
 */
export async function mayCommand(api: Pick<ApiCaller, 'post'>): Promise<void> {
  await api.post('/v1/lease/renew', {}).catch((thrown: unknown) => {
    if (!(thrown instanceof EdgeError) || thrown.code !== 'schema.invalid') throw thrown;
  });
}
