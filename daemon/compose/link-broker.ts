import { randomBytes } from 'node:crypto';
import { MqttBroker } from '../../adapters/mqtt/mqtt-broker.ts';
import { diskIdentity } from '../../central-link/disk-identity.ts';
import type { LinkIdentity } from '../../central-link/link-identity.ts';
import { MqttCentral } from '../../central-link/mqtt-central.ts';
import { MqttLine } from '../../central-link/mqtt-line.ts';
import { ReceiptKeys } from '../../central-link/receipt-keys.ts';
import {
  type Central,
  type Clock,
  type Downlink,
  IdSource,
  type LinkStatus,
  toMs,
} from '../../contract/core.ts';
import { readPem } from '../pem-file.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

export type BrokerParts = {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly identity: LinkIdentity;
  /** PEM: whose answers count. */
  readonly publicKey: string | (() => string | undefined);
  readonly random: () => number;
};

/** The way to central through a broker. It connects at once, so that central knows who is there. */
export function composeBroker({ settings, clock, identity, publicKey, random }: BrokerParts): {
  readonly central: Central;
  readonly downlink: Downlink;
  readonly status: () => NonNullable<LinkStatus['broker']>;
} {
  const { daemon, link } = settings.config;
  const password = () => readSecret(link.mqtt_password_file, 'link.mqtt_password_file', process.env);
  // A wrong file is found at the start.
  password();
  const broker = new MqttBroker({
    ...{ url: link.mqtt_url, clientId: `auraison-robot-${daemon.name}`, clock, random },
    access: () => {
      const { cert, key } = identity.tls() ?? {};
      const secret = password();
      return {
        ...(link.mqtt_user === '' ? {} : { username: link.mqtt_user }),
        ...(secret === undefined ? {} : { password: secret }),
        ...(link.mqtt_ca_file === '' ? {} : { ca: readPem(link.mqtt_ca_file, 'link.mqtt_ca_file') }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      };
    },
  });
  const ids = new IdSource(
    () => toMs(clock.now()),
    (length) => randomBytes(length),
  );
  const keys = new ReceiptKeys(publicKey, async () => undefined);
  const line = new MqttLine({
    ...{ robot: daemon.name, broker, clock, keys },
    identity: () => diskIdentity(identity),
    newId: () => ids.next<string>(),
  });
  const central = new MqttCentral(line, keys);
  return { central, downlink: central, status: () => line.status() };
}
