"""Confines the calling process for good: Landlock rules, no new privileges, no capabilities. Linux only, no dependency."""

import ctypes
import errno
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

# Numbers from linux/landlock.h and asm-generic/unistd.h; the three calls have the same number on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
# No devices, sockets, pipes, links or programs are made or run in a work folder.
WORK = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
SINK = READ_FILE | WRITE_FILE | TRUNCATE

_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX, _SCOPE_SIGNAL = 1, 2

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_CAPABILITY_VERSION_3 = 0x20080522


def _checked(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option, value=0):
    _checked(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def landlock_abi():
    """The version of Landlock this kernel has in force; 0 where it has none."""
    return max(0, libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))


def _handled_files(abi):
    bits = 13 + (abi >= 2) + (abi >= 3)
    return (1 << bits) - 1 | (IOCTL_DEV if abi >= 5 else 0)


def _add_path(ruleset, path, access):
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return  # a path that is not here cannot be granted, and needs no grant
        raise
    try:
        if not os.path.isdir(path):
            access &= _ON_A_FILE
        rule = struct.pack('=Qi', access, fd)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(fd)


def restrict(grants, ports):
    """Denies every file but those in `grants` ([path, rights] pairs) and every TCP connect but to `ports`.

    Older kernels handle fewer rights: below ABI 4 the network is not covered, below 6 signals and abstract sockets.
    """
    abi = landlock_abi()
    if not abi:
        raise OSError(errno.ENOSYS, 'Landlock is not available')
    files = _handled_files(abi)
    net = _BIND_TCP | _CONNECT_TCP if abi >= 4 else 0
    scoped = _SCOPE_ABSTRACT_UNIX | _SCOPE_SIGNAL if abi >= 6 else 0
    attributes = struct.pack('=QQQ', files, net, scoped)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path, access in grants:
            _add_path(ruleset, path, access & files)
        for port in ports if net else ():
            _checked(libc.syscall(_ADD_RULE, ruleset, _NET_PORT, struct.pack('=QQ', _CONNECT_TCP, port), 0))
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def drop_capabilities():
    """Leaves no capability, in whatever user namespace; with no_new_privs an exec cannot bring one back."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = struct.pack('=Ii', _CAPABILITY_VERSION_3, 0)
    _checked(libc.capset(header, struct.pack('=6I', 0, 0, 0, 0, 0, 0)))


def _probe_child():
    import socket

    before = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
    restrict([['/dev/null', SINK]], [])
    try:
        os.close(os.open('/', os.O_RDONLY | os.O_DIRECTORY))
        return 'a restricted process could still read /'
    except PermissionError:
        os.close(before)
    if landlock_abi() >= 4:
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', 9)) != errno.EACCES:
                return 'a restricted process could still connect'
    return ''


def probe():
    """Restricts a child in earnest; (ABI, '') when that held, else (0, what is missing)."""
    abi = landlock_abi()
    if not abi:
        return 0, 'the kernel has no Landlock (needs Linux 5.13 with "landlock" among its security modules)'
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            reason = _probe_child()
        except BaseException as error:
            reason = f'Landlock refused: {error}'
        os.write(sender, reason.encode() or b'ok')
        os._exit(0)
    os.close(sender)
    answer = os.read(receiver, 4096).decode()
    os.close(receiver)
    os.waitpid(pid, 0)
    return (abi, '') if answer == 'ok' else (0, answer or 'the Landlock probe died')
