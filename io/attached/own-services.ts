import type { MessageValue } from '../../contract/core.ts';
import type { Door } from './robot-door.ts';

/** Services of the servers themselves, in the form of std_srvs/srv/Trigger. They work without ROS too. */
export const OWN_SERVICES = {
  takeLease: '/auraison/take_lease',
  returnLease: '/auraison/return_lease',
  stop: '/auraison/emergency_stop',
} as const;
export const TRIGGER = 'std_srvs/srv/Trigger';

/** The answer of a service of the servers themselves; undefined for any other service. Rejects with what the API says. */
export async function callOwnService(
  name: string,
  door: Pick<Door, 'takeLease' | 'returnLease' | 'stop'>,
): Promise<MessageValue | undefined> {
  if (name === OWN_SERVICES.takeLease) {
    await door.takeLease();
    return { success: true, message: 'the lease is yours; each velocity renews it' };
  }
  if (name === OWN_SERVICES.returnLease) {
    await door.returnLease();
    return { success: true, message: 'the lease is returned' };
  }
  if (name === OWN_SERVICES.stop) {
    await door.stop('by a client that is attached');
    return { success: true, message: 'the emergency stop is engaged' };
  }
  return undefined;
}
