import { type LinkNetwork, OBJECT_LANES, type ObjectLaneName } from '../../contract/core.ts';
import { BROKER_ADDRESS } from './broker-address.ts';
import { parseQuantity } from './quantity.ts';
import { choice, flag, type KeySpec, tables, text } from './spec.ts';

type Result = { ok: true; value: LinkNetwork } | { ok: false; expected: string };

const ALLOWED = ['interface', 'bandwidth', 'lanes', 'hours', 'per_day'];
const SPAN = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** One entry of `[[link.networks]]`. */
function readNetwork(row: Record<string, unknown>): Result {
  const unknown = Object.keys(row).find((key) => !ALLOWED.includes(key));
  if (unknown !== undefined) return expected(`only the keys ${ALLOWED.join(', ')}, not "${unknown}"`);
  const { interface: name, lanes = OBJECT_LANES, hours = [] } = row;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}\*?$|^\*$/.test(name))
    return expected('interface = the name of an interface, for example "wwan0" or "wl*"');
  if (!Array.isArray(lanes) || !lanes.every((lane): lane is ObjectLaneName => OBJECT_LANES.includes(lane)))
    return expected(`lanes = a list of ${OBJECT_LANES.join(', ')}; events always go`);
  if (!Array.isArray(hours) || !hours.every((span) => SPAN.test(String(span))))
    return expected('hours = a list of spans such as "22:00-06:00", in the time of this host');
  const bandwidth = sizeOf(row['bandwidth']);
  const perDay = sizeOf(row['per_day']);
  if (bandwidth === undefined || perDay === undefined) {
    const key = bandwidth === undefined ? 'bandwidth' : 'per_day';
    return expected(`${key} = a size${key === 'bandwidth' ? ' (of a second)' : ''}, for example "64 KiB"`);
  }
  return { ok: true, value: { interface: name, bandwidth, lanes, hours: hours.map(minutesOf), perDay } };
}

function sizeOf(value: unknown): number | undefined {
  const parsed = parseQuantity('size', value ?? '0 B');
  return parsed.ok && parsed.value >= 0 ? parsed.value : undefined;
}

function minutesOf(span: unknown): [number, number] {
  const [, fromHour, fromMinute, toHour, toMinute] = (SPAN.exec(String(span)) ?? []).map(Number);
  return [fromHour! * 60 + fromMinute!, toHour! * 60 + toMinute!];
}

function expected(what: string): Result {
  return { ok: false, expected: what };
}

/** `[link]`: the way to central. `secretFile`: a key for a file of mode 0600. */
export function linkKeys(secretFile: (about: string) => KeySpec<string>) {
  return {
    central_url: text('', 'coordinator, for example https://central.example; empty: no central', {
      match: /^(|https?:\/\/.+)$/,
      expected: 'an http or https address, or ""',
    }),
    token_file: secretFile('token for central'),
    key_file: text(
      '',
      'public key of central (PEM): only what it signed counts; empty: the one of the enrolment, else trust_published_key',
    ),
    ca_file: text(
      '',
      'authorities (PEM) whose certificates of central count; empty: those of the enrolment, else of the host',
    ),
    cert_file: text(
      '',
      'certificate of this robot (PEM); empty: that of the enrolment (auraison link enrol)',
    ),
    cert_key_file: text('', 'private key of cert_file (PEM): a path, or credential:NAME'),
    plain_http: flag(
      false,
      'http to another host than this one: anybody on the way reads and changes what goes over it',
    ),
    trust_published_key: flag(
      false,
      'without key_file and enrolment: trust the key that central publishes; else only where central is on this host',
    ),
    mqtt_url: text(
      '',
      'broker of MQTT 5, a second way to central for events, orders and presence, for example mqtts://broker.example:8883; empty: none',
      {
        match: new RegExp(`^$|${BROKER_ADDRESS.source}`),
        expected: 'an mqtt or mqtts address without user and password, or ""',
      },
    ),
    mqtt_user: text('', 'user name at the broker; empty: none'),
    mqtt_password_file: secretFile('password at the broker'),
    mqtt_ca_file: text(
      '',
      'authorities (PEM) whose certificates of the broker count; empty: those of the host',
    ),
    mqtt_plain: flag(
      false,
      'mqtt to another host than this one: anybody on the way reads what goes over it; changed it is refused',
    ),
    bags: choice(
      ['all', 'clips', 'none'],
      'all',
      'recordings that go to central: every segment (a ring excepted) and clips, only clips, or none',
    ),
    networks: tables<LinkNetwork>(
      'what may go over a network: [[link.networks]]; the first that names the interface counts',
      readNetwork,
    ),
  };
}
