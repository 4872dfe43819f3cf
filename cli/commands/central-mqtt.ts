import { randomBytes, randomInt } from 'node:crypto';
import type { Command } from 'commander';
import { type Broker, type Clock, EdgeError } from '../../contract/core.ts';
import { BROKER_ADDRESS, isPlainBroker } from '../../daemon/config/broker-address.ts';
import { readPem } from '../../daemon/pem-file.ts';
import { readSecret } from '../../daemon/secrets.ts';

export type MqttFlags = {
  mqtt?: string;
  mqttUser?: string;
  mqttPasswordFile?: string;
  mqttCa?: string;
  mqttPlain?: boolean;
};

/** Options of `auraison central` for robots that come through a broker. */
export function addMqttOptions(central: Command): Command {
  return central
    .option(
      '--mqtt <url>',
      'a broker of MQTT 5 through which robots come too, mqtts://HOST:8883; needs --tls',
    )
    .option('--mqtt-user <name>', 'user name at the broker')
    .option('--mqtt-password-file <path>', 'password at the broker, in a file of mode 0600')
    .option('--mqtt-ca <path>', 'authorities (PEM) whose certificates of the broker count')
    .option('--mqtt-plain', 'mqtt:// to another host than this one: anybody on the way reads what goes');
}

/** Undefined where none is asked for. Rejects with `config.invalid`, `config.unreadable`. */
export async function brokerOf(flags: MqttFlags, clock: Clock): Promise<Broker | undefined> {
  const { mqtt: url, mqttUser, mqttPasswordFile, mqttCa, mqttPlain } = flags;
  if (url === undefined) return undefined;
  if (!BROKER_ADDRESS.test(url) || !URL.canParse(url))
    throw invalid('--mqtt', `--mqtt ${url}: an address such as mqtts://broker.example:8883 expected`);
  if (isPlainBroker(url) && mqttPlain !== true)
    throw invalid(
      '--mqtt',
      `--mqtt ${url}: anybody on the way reads what goes`,
      'use mqtts://, or add --mqtt-plain',
    );
  const access = () => {
    const password = readSecret(mqttPasswordFile ?? '', '--mqtt-password-file', process.env);
    return {
      ...(mqttUser === undefined ? {} : { username: mqttUser }),
      ...(password === undefined ? {} : { password }),
      ...(mqttCa === undefined ? {} : { ca: readPem(mqttCa, '--mqtt-ca') }),
    };
  };
  // Wrong files are found at the start.
  access();
  const { MqttBroker } = await import('../../adapters/mqtt/mqtt-broker.ts');
  return new MqttBroker({
    ...{ url, clock, access, clientId: `auraison-central-${randomBytes(4).toString('hex')}` },
    random: () => randomInt(2 ** 32) / 2 ** 32,
  });
}

function invalid(subject: string, message: string, hint = ''): EdgeError {
  return new EdgeError('config.invalid', { operation: 'open coordinator', subject, message, hint });
}
