import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Broker, type Clock, EdgeError } from '../contract/index.ts';
import { MqttDesk, type MqttDeskParts } from './mqtt-desk.ts';
import { type Presence, PresenceRows } from './presence-rows.ts';
import { RobotSignature, type RobotSignatureParts } from './robot-signature.ts';

const PRESENCE_FILE = 'presence.db';

export type MqttParts = Omit<MqttDeskParts, 'presence' | 'signature'> & {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly signature: Omit<RobotSignatureParts, 'clock'>;
};

/** The desk at a broker, with what it keeps. */
export function startMqtt({ dataDir, clock, signature, ...parts }: MqttParts): {
  readonly list: () => Presence[];
  close(): Promise<void>;
} {
  const presence = new PresenceRows(join(dataDir, PRESENCE_FILE), () => clock.now());
  const desk = new MqttDesk({
    ...{ ...parts, presence },
    signature: new RobotSignature({ ...signature, clock }),
  });
  return {
    list: () => presence.list(),
    async close() {
      await desk.close();
      presence.close();
    },
  };
}

/** Who was last said to be there, in the data directory of a coordinator that may be running. */
export function presenceIn(dataDir: string, clock: Clock): Presence[] {
  const path = join(dataDir, PRESENCE_FILE);
  if (!existsSync(path)) return [];
  const rows = new PresenceRows(path, () => clock.now());
  try {
    return rows.list();
  } finally {
    rows.close();
  }
}

/** Through a broker a robot shows itself by its certificate, which a coordinator without TLS does not give. */
export function requireTls(broker: Broker | undefined, hasTls: boolean): void {
  if (!broker || hasTls) return;
  throw new EdgeError('config.invalid', {
    ...{ operation: 'open coordinator', subject: '--mqtt' },
    message: '--mqtt: through a broker robots show certificates, and these need TLS',
    hint: 'add --tls',
  });
}
