"""Play systemd's notify socket: bind argv[1], print each datagram as a JSON line until standard input ends."""
import json
import os
import select
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
    listener.bind(sys.argv[1])
    print(json.dumps('listening'), flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if listener in readable:
            # systemd-notify may hand over file descriptors with a barrier: closing them answers it.
            data, fds, _, _ = socket.recv_fds(listener, 4096, 4)
            for fd in fds:
                os.close(fd)
            print(json.dumps(data.decode()), flush=True)
        elif sys.stdin.readline() == '':
            break
