"""What the Python readers get out of damaged recordings before they stop, as one JSON object on stdout.

Usage: salvage_bags.py FOLDER

For each .mcap and .db3 file of FOLDER: by reader, the messages it gave as "topic time digest". `mcap` is the seeking, the
streaming and the record reader of the package `mcap` with CRCs validated; `mcap-unchecked` the same without;
`rosbags` the storage readers of `rosbags`; `sqlite3` the module of Python.
"""

import hashlib
import json
import sqlite3
import sys
from pathlib import Path


def key(topic, time, data):
    return f"{topic} {time} {hashlib.sha1(data).hexdigest()[:16]}"


def until_fault(make):
    found = []
    try:
        for item in make():
            found.append(item)
    except Exception:
        pass
    return found


def mcap_readers(path, validate):
    from mcap.reader import NonSeekingReader, make_reader
    from mcap.records import Channel, Message
    from mcap.stream_reader import StreamReader

    def seeking():
        with open(path, "rb") as stream:
            for _, channel, message in make_reader(stream, validate_crcs=validate).iter_messages():
                yield key(channel.topic, message.log_time, message.data)

    def streaming():
        with open(path, "rb") as stream:
            reader = NonSeekingReader(stream, validate_crcs=validate)
            for _, channel, message in reader.iter_messages(log_time_order=False):
                yield key(channel.topic, message.log_time, message.data)

    def records():
        channels = {}
        with open(path, "rb") as stream:
            for record in StreamReader(stream, validate_crcs=validate).records:
                if isinstance(record, Channel):
                    channels[record.id] = record.topic
                if isinstance(record, Message) and record.channel_id in channels:
                    yield key(channels[record.channel_id], record.log_time, record.data)

    return [until_fault(make) for make in (seeking, streaming, records)]


def rosbags_reader(path):
    from rosbags.rosbag2.storage_mcap import McapReader
    from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

    def read():
        reader = (McapReader if path.suffix == ".mcap" else Sqlite3Reader)(path)
        reader.open()
        if hasattr(reader, "read_index"):
            reader.read_index() if reader.chunks is not None else None
        try:
            for connection, time, data in reader.messages(reader.connections):
                yield key(connection.topic, time, bytes(data))
        finally:
            reader.close()

    return until_fault(read)


def sqlite_reader(path):
    def read():
        database = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
        topics = dict(database.execute("SELECT id, name FROM topics"))
        for topic, time, data in database.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id"):
            if topic in topics:
                yield key(topics[topic], time, data)

    return until_fault(read)


def view(path):
    if path.suffix == ".db3":
        return {"sqlite3": [sqlite_reader(path)], "rosbags": [rosbags_reader(path)]}
    return {
        "mcap": mcap_readers(path, True),
        "mcap-unchecked": mcap_readers(path, False),
        "rosbags": [rosbags_reader(path)],
    }


if __name__ == "__main__":
    files = sorted(file for file in Path(sys.argv[1]).iterdir() if file.suffix in (".mcap", ".db3"))
    print(json.dumps({file.name: view(file) for file in files}))
