import type { Qos } from '../../../contract/core.ts';
import { qosMismatches } from '../../../formats/ros2/qos.ts';
import { type Entity, NO_TYPE_HASH, nodeName } from './names.ts';
import type { PeerFault } from './peer-faults.ts';
import { readQosText } from './qos-text.ts';

/** Kind of an endpoint of this node: it decides which side offers and which requests. */
export type OwnSide = {
  readonly side: 'subscription' | 'publisher';
  readonly topic: string;
  readonly type: string;
  /** Undefined for a type without definition on this host. */
  readonly hash: string | undefined;
  readonly qos: Qos;
};

/** The incompatibility between an endpoint of this node and one of another node on the same topic; undefined: none. */
export function peerFault(own: OwnSide, other: Entity): PeerFault | undefined {
  const { end } = other;
  if (!end) return undefined;
  const who = `${own.topic}: ${nodeName(other)}`;
  const does = own.side === 'subscription' ? 'publishes' : 'subscribes to';
  if (end.type !== own.type) {
    return {
      kind: 'type',
      message: `${who} ${does} ${end.type}, and not ${own.type}: nothing passes between them`,
      hint: 'change one side to the type of the other',
    };
  }
  if (own.hash !== undefined && end.hash !== own.hash && end.hash !== NO_TYPE_HASH) {
    return {
      kind: 'type',
      message: `${who} ${does} another definition of ${own.type} (${end.hash}, here it is ${own.hash}): nothing passes between them`,
      hint: 'put its definition into a folder of ros.definitions',
    };
  }
  const theirs = readQosText(end.qos);
  const mismatches =
    own.side === 'subscription' ? qosMismatches(theirs, own.qos) : qosMismatches(own.qos, theirs);
  if (mismatches.length === 0) return undefined;
  const told = mismatches.map(
    ({ policy, offered, requested }) => `${policy}: offered ${offered}, requested ${requested}`,
  );
  return {
    kind: 'incompatible',
    message: `${who} ${does} it with incompatible quality of service (${told.join('; ')}): Zenoh delivers it anyway, DDS would not`,
    hint: 'change the subscription so that it requests no more than the publisher offers',
  };
}
