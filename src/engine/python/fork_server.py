"""A warm yt-dlp that forks a keeper for each run: `fork_server.py SETTINGS` (JSON), one token a line on fd 0.

For each token a keeper connects three times to the Unix socket of the settings and says `TOKEN control`, `TOKEN out` or
`TOKEN err`; what it is to run it learns from the daemon over the first. So no option, cookie or output of a run ever
passes through this process, and none can be found in the memory of a later one. The end of fd 0 ends the server.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys

import job
import sandbox
import warm

_LABEL = b'YTDLPD_JOB='


def _tell(**message):
    os.write(1, json.dumps(message).encode() + b'\n')


def _find_label():
    """Where the environment this process was started with, the one /proc shows, keeps the label; and its room."""
    environ = ctypes.POINTER(ctypes.c_void_p).in_dll(sandbox.libc, 'environ')
    index = 0
    while environ[index]:
        entry = ctypes.string_at(environ[index])
        if entry.startswith(_LABEL):
            return environ[index] + len(_LABEL), len(entry) - len(_LABEL)
        index += 1
    return 0, 0


def _write_label(place, label):
    address, room = place
    if address:
        ctypes.memmove(address, label.encode()[:room].ljust(room, b'\0'), room)


def _raise_loopback():
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack('16sh22x', b'lo', 0))
        flags = struct.unpack_from('h', request, 16)[0] | IFF_UP
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack('16sh22x', b'lo', flags))


def _hand_over_listener(command):
    """Starts the program that opens the egress listener in this network and gives it to the daemon."""
    _raise_loopback()
    channel = int(os.environ['NODE_CHANNEL_FD'])
    helper = subprocess.Popen(command, pass_fds=(channel,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(channel)
    return helper


def _connect(path, token, stream):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.sendall(f'{token} {stream}\n'.encode())
    return connection.detach()


def _keeper(path, token, label, main):
    server = os.getppid()
    control = _connect(path, token, 'control')
    spec = job.read_job(control)
    _write_label(label, spec['label'])
    streams = (control, control, _connect(path, token, 'out'), _connect(path, token, 'err'))
    job.keep(spec, streams, server, lambda command: warm.run_main(main, command))


def _fork_keeper(path, token, label, main):
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):
            os.dup2(null, fd)
        os.closerange(3, os.sysconf('SC_OPEN_MAX'))
        _keeper(path, token, label, main)
    except BaseException as error:
        os.write(2, f'keeper: {type(error).__name__}: {error}\n'.encode())
    os._exit(0)


def _reap(keepers):
    """A child that is no keeper lost its own: kill it and all that come after it."""
    strays = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            break
        strays |= pid not in keepers or os.WIFSIGNALED(status)
        keepers.discard(pid)
    if strays:
        job.kill_children(spare=keepers)


def _serve(path, label, main):
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(receiver, select.POLLIN)
    keepers, pending = set(), b''
    while True:
        for fd, _ in poll.poll():
            chunk = os.read(fd, 4096)
            if fd == receiver:
                continue
            if not chunk:
                return
            *tokens, pending = (pending + chunk).split(b'\n')
            for token in tokens:
                keepers.add(_fork_keeper(path, token.decode(), label, main))
        _reap(keepers)


def main():
    settings = json.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.getpid() != 1:
        # Without a namespace of its own: die with the daemon, inherit what a killed keeper leaves.
        sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() != settings['parent']:
            return
    _tell(hello=True)
    label = _find_label()
    abi, missing = sandbox.probe() if settings['confine'] else (0, 'switched off')
    helper = _hand_over_listener(settings['listener']) if settings['listener'] else None
    if settings['modulePath']:
        sys.path.insert(0, settings['modulePath'])
    import yt_dlp
    from yt_dlp.version import __version__

    run = warm.warm_up(settings['options'], lambda text: _tell(log=text))
    listening = helper is not None and helper.wait(20) == 0
    _tell(ready=True, landlock=abi, missing=missing, listening=listening, version=__version__, package=yt_dlp.__file__)
    _serve(settings['socket'], label, run)


if __name__ == '__main__':
    main()
