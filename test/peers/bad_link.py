"""A bad network, packet by packet, for kernels without netem.

    bad_link.py tun   NAME SUBNET DELAY_MS JITTER_MS LOSS RATE_BIT_S
    bad_link.py proxy PORT TARGET_PORT DELAY_MS JITTER_MS LOSS RATE_BIT_S

`tun` makes the network namespace NAME and two TUN devices, 10.213.SUBNET.1 here and .2 in the namespace, and
carries every IP packet between them: each direction has a queue of 64 packets at the given rate, then a delay
drawn per packet (so packets overtake one another, as with netem), and loses packets at random. Real TCP of the
kernel runs over it. Needs CAP_NET_ADMIN and /dev/net/tun.

`proxy` needs no rights: it listens on PORT and carries TCP to TARGET_PORT in pieces of 1400 bytes with the same
queue and delay; as a stream cannot lose or reorder, a lost piece comes one more round trip later and holds up
what is behind it.

Prints {"ready": true} and, for each line on stdin: `cut`, `heal`, `stats`. Ends, and cleans up, when stdin closes.
"""

import asyncio
import fcntl
import heapq
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time

QUEUE_PACKETS = 64
random.seed(7)


class Pipe:
    """One direction: queue, rate, delay, loss. `deliver` is called when a packet has arrived."""

    def __init__(self, delay_ms, jitter_ms, loss, rate, ordered):
        self.delay, self.jitter = delay_ms / 1000, jitter_ms / 1000
        self.loss, self.rate, self.ordered = loss, rate, ordered
        self.free_at = 0.0
        self.last, self.turn = {}, asyncio.Lock()
        self.due, self.number = [], 0
        self.open = True
        self.sent = self.lost = self.overflow = 0

    def room(self):
        return (self.free_at - time.monotonic()) * self.rate / 8 < QUEUE_PACKETS * 1500

    def push(self, packet, deliver, stream=None):
        now = time.monotonic()
        if not self.room():
            self.overflow += 1
            return
        self.free_at = max(self.free_at, now) + len(packet) * 8 / self.rate
        at = self.free_at + max(0.0, random.gauss(self.delay, self.jitter))
        if not self.open or random.random() < self.loss:
            self.lost += 1
            if not self.ordered:
                return
            at += 2 * self.delay
        if self.ordered:
            at = self.last[stream] = max(at, self.last.get(stream, 0.0))
        self.sent += 1
        self.number += 1
        heapq.heappush(self.due, (at, self.number, packet, deliver))

    async def run(self):
        while True:
            now = time.monotonic()
            while self.due and self.due[0][0] <= now:
                _, _, packet, deliver = heapq.heappop(self.due)
                deliver(packet)
            await asyncio.sleep(0.001)


def sh(*command):
    subprocess.run(command, check=True)


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0001 | 0x1000))  # TUNSETIFF: TUN, NO_PI
    return fd


def write(fd):
    def deliver(packet):
        try:
            os.write(fd, packet)
        except OSError:
            pass

    return deliver


def tun(name, subnet, there, back):
    """Both devices are made here; the far one is then moved: its file descriptor stays ours."""
    near_dev, far_dev = f"{name}n"[:15], f"{name}f"[:15]
    sh("ip", "netns", "add", name)
    near, far = open_tun(near_dev), open_tun(far_dev)
    sh("ip", "link", "set", far_dev, "netns", name)
    inside = ("ip", "netns", "exec", name, "ip")
    sh("ip", "addr", "add", f"10.213.{subnet}.1/24", "dev", near_dev)
    sh("ip", "link", "set", near_dev, "up")
    sh(*inside, "addr", "add", f"10.213.{subnet}.2/24", "dev", far_dev)
    sh(*inside, "link", "set", far_dev, "up")
    sh(*inside, "link", "set", "lo", "up")
    loop = asyncio.get_running_loop()

    def pump(source, pipe, deliver):
        def ready():
            for _ in range(64):
                try:
                    pipe.push(os.read(source, 2048), deliver)
                except BlockingIOError:
                    return

        loop.add_reader(source, ready)

    pump(near, there, write(far))
    pump(far, back, write(near))


async def proxy(port, target, there, back):
    async def carry(reader, writer, pipe):
        def deliver(piece):
            if piece:
                writer.write(piece)
            else:
                writer.close()

        try:
            while piece := await reader.read(1400):
                # By turns, so that a busy stream does not keep the others out.
                async with pipe.turn:
                    while not pipe.room() or not pipe.open:
                        await asyncio.sleep(0.002)
                    pipe.push(piece, deliver, deliver)
        except OSError:
            pass
        pipe.push(b"", deliver, deliver)

    async def accept(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer, there), carry(far_reader, writer, back))

    listener = socket.socket()
    # Small, so that the queue is the one above and not the kernel's megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    await asyncio.start_server(accept, sock=listener, limit=4096)


async def main():
    mode, first, second, *figures = sys.argv[1:]
    delay, jitter, loss, rate = map(float, figures)
    there, back = (Pipe(delay, jitter, loss, rate, mode == "proxy") for _ in range(2))
    pipes = [asyncio.create_task(pipe.run()) for pipe in (there, back)]
    try:
        if mode == "tun":
            tun(first, int(second), there, back)
        else:
            await proxy(int(first), int(second), there, back)
        print(json.dumps({"ready": True}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = line.decode().strip()
            if command in ("cut", "heal"):
                there.open = back.open = command == "heal"
            figures = [{"sent": p.sent, "lost": p.lost, "overflow": p.overflow} for p in (there, back)]
            print(json.dumps({"command": command, "there": figures[0], "back": figures[1]}), flush=True)
    finally:
        for task in pipes:
            task.cancel()
        if mode == "tun":
            subprocess.run(["ip", "netns", "del", first], check=False)


try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
