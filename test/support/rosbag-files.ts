import { DatabaseSync } from 'node:sqlite';
import type { Sample } from '../../contract/index.ts';

/** A `.db3` file as rosbag2 of Humble writes it. */
export function writeDb3(path: string, samples: readonly Sample[]): void {
  const database = new DatabaseSync(path);
  database.exec(`
    CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
      serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
    CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE INDEX timestamp_idx ON messages (timestamp ASC);
    BEGIN`);
  const ids = new Map<string, number>();
  const topic = database.prepare('INSERT INTO topics VALUES (?, ?, ?, ?, ?)');
  const message = database.prepare('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)');
  for (const sample of samples) {
    let id = ids.get(sample.topic);
    if (id === undefined) {
      id = ids.size + 1;
      ids.set(sample.topic, id);
      topic.run(id, sample.topic, sample.type, 'cdr', '');
    }
    message.run(id, sample.received, sample.bytes);
  }
  database.exec('COMMIT');
  database.close();
}
