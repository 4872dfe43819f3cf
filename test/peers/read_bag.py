"""Describes a bag as a foreign reader sees it, as one JSON object on stdout.

Usage: read_bag.py (mcap|rosbags|decode|story|values) PATH

  mcap     every .mcap file of PATH with the `mcap` reader, CRCs validated, in log-time order
  rosbags  PATH (a folder with metadata.yaml) with `rosbags`
  decode   every message decoded with `mcap-ros2-support`; prints counts of decoded messages
  story    /auraison/events and /auraison/log as `rosbags` and `mcap-ros2-support` decode them, with the types of
           the bag itself, in the order of their log times
  values   every message with all of its fields, by topic, as `rosbags` and `mcap-ros2-support` decode them; numbers that
           JSON has not are text

Per topic: count and SHA-256 over the bytes of its messages in order; `order` is the SHA-256 over the topic
names and log times of all messages in the order in which the reader gave them.
"""

import hashlib
import json
import sys
from pathlib import Path


class Digest:
    def __init__(self):
        self.topics = {}
        self.order = hashlib.sha256()

    def add(self, topic, time, data):
        count, digest = self.topics.setdefault(topic, [0, hashlib.sha256()])
        self.topics[topic][0] = count + 1
        digest.update(data)
        self.order.update(f"{topic} {time}\n".encode())

    def result(self, **more):
        topics = {t: {"count": c, "sha256": d.hexdigest()} for t, (c, d) in sorted(self.topics.items())}
        return {"topics": topics, "order": self.order.hexdigest(), **more}


def mcap_files(path):
    if path.is_file():
        return [path]
    number = lambda file: int(file.stem.rsplit("_", 1)[-1])
    return sorted(path.glob("*.mcap"), key=number)


def read_mcap(path):
    from mcap.reader import make_reader

    digest, metadata, schemas = Digest(), [], {}
    for file in mcap_files(path):
        with open(file, "rb") as stream:
            reader = make_reader(stream, validate_crcs=True)
            summary = reader.get_summary()
            counted = 0
            for schema, channel, message in reader.iter_messages():
                kind = (schema.name, schema.data.decode()) if schema else ("", "")
                schemas[channel.topic] = {"type": kind[0], "definition": kind[1]}
                digest.add(channel.topic, message.log_time, message.data)
                counted += 1
            assert counted == summary.statistics.message_count, (file, counted)
            for record in reader.iter_metadata():
                metadata.append({"name": record.name, "metadata": record.metadata})
    return digest.result(metadata=metadata, schemas=schemas)


def read_rosbags(path):
    from rosbags.rosbag2 import Reader

    digest = Digest()
    with Reader(path) as reader:
        qos = {c.topic: len(c.ext.offered_qos_profiles) for c in reader.connections}
        for connection, time, data in reader.messages():
            digest.add(connection.topic, time, data)
        return digest.result(message_count=reader.message_count, duration=reader.duration, qos=qos)


def read_decoded(path):
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    counts = {}
    for file in mcap_files(path):
        with open(file, "rb") as stream:
            reader = make_reader(stream, decoder_factories=[DecoderFactory()])
            for schema, channel, _, _ in reader.iter_decoded_messages():
                key = f"{channel.topic} {schema.name}"
                counts[key] = counts.get(key, 0) + 1
    return {"decoded": counts}


def read_story(path):
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    story = {"rosbags": {"events": [], "log": []}, "mcap": {"events": [], "log": []}}

    def add(reader, topic, time, message):
        if topic == "/auraison/events":
            story[reader]["events"].append({"time": str(time), **json.loads(message.data)})
        elif topic == "/auraison/log":
            log = {"level": message.level, "name": message.name, "msg": message.msg}
            story[reader]["log"].append({"time": str(time), **log, "function": message.function})

    store = get_typestore(Stores.EMPTY)
    with Reader(path) as reader:
        own = [c for c in reader.connections if c.topic in ("/auraison/events", "/auraison/log")]
        for connection in own:
            types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            store.register({k: v for k, v in types.items() if k not in store.fielddefs})
        for connection, time, data in reader.messages(connections=own):
            add("rosbags", connection.topic, time, store.deserialize_cdr(data, connection.msgtype))
    for file in mcap_files(path):
        with open(file, "rb") as stream:
            reader = make_reader(stream, decoder_factories=[DecoderFactory()])
            topics = ["/auraison/events", "/auraison/log"]
            for _, channel, message, decoded in reader.iter_decoded_messages(topics=topics):
                add("mcap", channel.topic, message.log_time, decoded)
    return story


def plain(value):
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return list(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    names = value.__slots__ if hasattr(value, "__slots__") else list(vars(value))
    return {name: plain(getattr(value, name)) for name in names if not name.startswith("_")}


def read_values(path):
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    values = {"rosbags": {}, "mcap": {}}

    def add(reader, topic, time, message):
        values[reader].setdefault(topic, []).append([str(time), plain(message)])

    store = get_typestore(Stores.EMPTY)
    with Reader(path) as reader:
        for connection in reader.connections:
            types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            store.register({k: v for k, v in types.items() if k not in store.fielddefs})
        for connection, time, data in reader.messages():
            add("rosbags", connection.topic, time, store.deserialize_cdr(data, connection.msgtype))
    for file in mcap_files(path):
        with open(file, "rb") as stream:
            reader = make_reader(stream, decoder_factories=[DecoderFactory()])
            for _, channel, message, decoded in reader.iter_decoded_messages():
                add("mcap", channel.topic, message.log_time, decoded)
    return values


if __name__ == "__main__":
    kind, path = sys.argv[1], Path(sys.argv[2])
    read = {"mcap": read_mcap, "rosbags": read_rosbags, "decode": read_decoded, "story": read_story}
    read = {**read, "values": read_values}[kind]
    print(json.dumps(read(path)))
