"""Writes bags as foreign writers do, out of the same 600 messages; prints what they hold as read_bag.py does.

Usage: write_bag.py FOLDER

  FOLDER/sqlite, FOLDER/sqlite-zstd   rosbag2 SQLite by `rosbags`, plain and compressed message by message
  FOLDER/mcap, FOLDER/mcap-zstd       rosbag2 MCAP by `rosbags`, plain and compressed in chunks
  FOLDER/{none,lz4,zstd,unchunked}.mcap   by the `mcap` package, with an attachment and a metadata record
"""

import json
import struct
import sys
from pathlib import Path

from mcap.writer import CompressionType, Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from read_bag import Digest

TOPICS = {"/count": "std_msgs/msg/UInt32", "/text": "std_msgs/msg/String"}
START = 1_700_000_000_000_000_000


def messages():
    for i in range(600):
        topic = "/text" if i % 3 == 0 else "/count"
        if topic == "/count":
            data = struct.pack("<4BI", 0, 1, 0, 0, i)
        else:
            text = f"message {i} ".encode() * (1 + i % 40) + b"\0"
            data = struct.pack("<4BI", 0, 1, 0, 0, len(text)) + text
        yield topic, START + i * 1_000_003, data


def write_rosbags(path, storage, compressed):
    types = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(path, version=9, storage_plugin=storage)
    if compressed:
        mode = CompressionMode.STORAGE if storage == StoragePlugin.MCAP else CompressionMode.MESSAGE
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {t: writer.add_connection(t, kind, typestore=types) for t, kind in TOPICS.items()}
        for topic, time, data in messages():
            writer.write(connections[topic], time, data)


def write_mcap(path, compression, chunking):
    with open(path, "wb") as stream:
        writer = McapWriter(stream, compression=compression, use_chunking=chunking, chunk_size=8192)
        writer.start("ros2", "test")
        schema = {t: writer.register_schema(kind, "ros2msg", b"uint32 data" if t == "/count" else b"string data") for t, kind in TOPICS.items()}
        channels = {t: writer.register_channel(t, "cdr", schema[t]) for t in TOPICS}
        writer.add_attachment(START, START, "notes.txt", "text/plain", b"hello")
        writer.add_metadata("site", {"place": "hall"})
        for i, (topic, time, data) in enumerate(messages()):
            writer.add_message(channels[topic], time, data, time - 5, i)
        writer.finish()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for storage, name in ((StoragePlugin.SQLITE3, "sqlite"), (StoragePlugin.MCAP, "mcap")):
        write_rosbags(folder / name, storage, False)
        write_rosbags(folder / f"{name}-zstd", storage, True)
    for name, kind, chunking in (
        ("none", CompressionType.NONE, True),
        ("lz4", CompressionType.LZ4, True),
        ("zstd", CompressionType.ZSTD, True),
        ("unchunked", CompressionType.NONE, False),
    ):
        write_mcap(folder / f"{name}.mcap", kind, chunking)
    digest = Digest()
    for topic, time, data in messages():
        digest.add(topic, time, data)
    print(json.dumps(digest.result()))
