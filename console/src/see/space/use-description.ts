import { useEffect, useState } from 'react';
import type { Channel } from '../link/sample.ts';
import { link } from '../link/use-live.ts';
import { DESCRIPTION, type SpaceBook } from './space-book.ts';

/** The file of `gate.urdf`, as the robot offers it. */
const URDF = 'package://auraison/robot.urdf';

/** Describes the robot by the file of its gate where no topic does; says why where neither does. */
export function useDescription(
  book: SpaceBook,
  channels: ReadonlyMap<string, Channel>,
  isOld: boolean,
): string {
  const [why, setWhy] = useState('');
  const hasTopic = channels.has(DESCRIPTION);
  useEffect(() => {
    if (isOld || hasTopic) {
      setWhy(hasTopic ? `waiting for ${DESCRIPTION}` : '');
      return;
    }
    let gone = false;
    link.fetchAsset(URDF).then(
      (bytes) => {
        if (!gone) book.describe(new TextDecoder().decode(bytes));
      },
      (error: Error) => {
        const none = `The robot has no description: no topic ${DESCRIPTION}, and no file (gate.urdf): ${error.message}.`;
        if (!gone) setWhy(none);
      },
    );
    return () => {
      gone = true;
    };
  }, [book, hasTopic, isOld]);
  return why;
}
