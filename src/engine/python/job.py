"""One run: a keeper process that starts the tool confined, passes on signals, and outlives every descendant of it.

The keeper reads one line of JSON (the job) from its control input, then single bytes: `I` = SIGINT to the tool's group,
`K` = kill everything. The end of that input, or the death of the keeper's parent, means `K` too. It answers with one
line of JSON: `{"exitCode": n}`, `{"signal": n}` or `{"error": text}`, written when no process of the run is left.
"""

import json
import os
import resource
import select
import signal
import sys
import sysconfig
import time

import sandbox

# A job is arguments, paths and cookies; far below this.
_MAX_JOB_BYTES = 16 * 1024 * 1024


def python_folders():
    """What this interpreter needs to read to import its own library."""
    names = ('stdlib', 'platstdlib', 'purelib', 'platlib')
    folders = {sysconfig.get_path(name) for name in names} | {sysconfig.get_config_var('LIBDIR')}
    environment = os.path.dirname(os.path.dirname(sys.executable or '/'))
    if os.path.exists(os.path.join(environment, 'pyvenv.cfg')):
        folders |= {os.path.join(environment, 'lib'), os.path.join(environment, 'pyvenv.cfg')}
    return sorted(filter(None, folders))


def _limit(name, value):
    hard = resource.getrlimit(name)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(name, (value, value))


def _set_limits(limits):
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, limits['fileBytes'])
    _limit(resource.RLIMIT_NOFILE, limits['openFiles'])
    if limits['memoryBytes']:
        _limit(resource.RLIMIT_AS, limits['memoryBytes'])
    # The kernel counts all threads of the user, not those of the run: the bound is what exists now plus the allowance.
    with open('/proc/loadavg') as loadavg:
        threads = int(loadavg.read().split()[3].split('/')[1])
    _limit(resource.RLIMIT_NPROC, threads + limits['processes'])


def _reset_signals():
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _confine(job):
    rules = job['sandbox']
    if not rules:
        return
    sandbox.drop_capabilities()
    if not rules['landlock']:
        return
    grants = [[path, sandbox.WORK] for path in rules['write']]
    grants += [[path, sandbox.READ] for path in rules['read']]
    grants += [[path, sandbox.RUN] for path in rules['execute'] + python_folders()]
    grants += [['/dev/null', sandbox.SINK], ['/proc/self', sandbox.READ]]
    sandbox.restrict(grants, rules['ports'])


def _become_tool(job, out, err, ready, call):
    """Never returns. `ready` closes when the tool has started, and gets a line of text when it could not."""
    keeper = os.getppid()
    try:
        os.setsid()
        sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        os.environ.clear()
        os.environ.update(job['env'])
        os.chdir(job['workDir'])
        if job['stdin'] is None:
            stdin = os.open(os.devnull, os.O_RDONLY)
        else:
            stdin = os.memfd_create('stdin')
            os.write(stdin, job['stdin'].encode())
            os.lseek(stdin, 0, os.SEEK_SET)
        os.dup2(stdin, 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.dup2(ready, 3, inheritable=False)
        os.closerange(4, os.sysconf('SC_OPEN_MAX'))
        ready = 3
        _set_limits(job['limits'])
        _confine(job)
        _reset_signals()
        if not job['call']:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execve(job['command'][0], job['command'], job['env'])
        os.close(ready)
    except BaseException as error:
        os.write(ready, f'{type(error).__name__}: {error}'.encode(errors='replace')[:2000])
        os._exit(127)
    call(job['command'])


def _direct_children():
    try:
        with open('/proc/thread-self/children') as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        pass  # a kernel without that file: look at the parent of every process
    me, found = os.getpid(), []
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/stat') as file:
                if int(file.read().rpartition(')')[2].split()[1]) == me:
                    found.append(int(name))
        except OSError:
            continue  # gone meanwhile
    return found


def kill_children(spare=()):
    """SIGKILL to each direct child but those in `spare`; returns whether there was one."""
    children = [pid for pid in _direct_children() if pid not in spare]
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
    return bool(children)


def _kill_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        try:
            os.kill(pid, number)  # it has not made its group yet
        except ProcessLookupError:
            pass  # it ended by itself


def _kill_all(tool):
    """As a subreaper the keeper inherits whatever loses its parent, so it has killed everything when no child is left."""
    _kill_group(tool, signal.SIGKILL)
    while True:
        kill_children()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _reap(tool):
    """The wait status of the tool once it has ended, else None. Reaps what it left behind on the way."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == tool:
            return status
        if pid == 0:
            return None


def _supervise(tool, control, wakeup, parent):
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == wakeup:
                os.read(wakeup, 4096)
                continue
            try:
                order = os.read(control, 1)
            except ConnectionResetError:
                order = b''
            if order == b'I':
                _kill_group(tool, signal.SIGINT)
            else:
                _kill_group(tool, signal.SIGKILL)
                if not order:
                    poll.unregister(control)
        if os.getppid() != parent:
            _kill_group(tool, signal.SIGKILL)
        status = _reap(tool)
        if status is not None:
            return status


def _watch_signals():
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    return receiver


def read_job(control):
    """The first line of the control input."""
    line = bytearray()
    while not line.endswith(b'\n'):
        chunk = os.read(control, 65536)
        if not chunk or len(line) > _MAX_JOB_BYTES:
            raise ValueError('the job did not arrive')
        line += chunk
    return json.loads(line)


def _start(job, out, err, call):
    receiver, ready = os.pipe()
    tool = os.fork()
    if tool == 0:
        os.close(receiver)
        _become_tool(job, out, err, ready, call)
        os._exit(70)
    os.close(ready)
    os.close(out)
    os.close(err)
    reason = os.read(receiver, 4096)
    os.close(receiver)
    return tool, reason.decode(errors='replace')


def keep(job, streams, parent, call=None):
    """Runs `job` to its end and reports it. `streams`: control input, control output, stdout, stderr of the run."""
    control, answer, out, err = streams
    sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
    sandbox.prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGUSR1)
    wakeup = _watch_signals()
    tool, reason = _start(job, out, err, call)
    job.clear()
    status = _supervise(tool, control, wakeup, parent)
    _kill_all(tool)
    if reason:
        end = {'error': reason}
    elif os.WIFSIGNALED(status):
        end = {'signal': os.WTERMSIG(status)}
    else:
        end = {'exitCode': os.WEXITSTATUS(status)}
    try:
        os.write(answer, json.dumps(end).encode() + b'\n')
    except OSError:
        pass  # nobody is listening any more: the daemon is gone
