"""Makes a process ready to run yt-dlp at once: everything a first extraction would import, compile or ask, done before."""

import contextlib
import gc
import importlib
import io
import os
import socket
import sys
import threading

import shortcuts

# The sites most asked for, and what nearly every extraction needs; others are imported by the run that wants them.
_MODULES = (
    'yt_dlp.extractor.generic',
    'yt_dlp.extractor.youtube',
    'yt_dlp.extractor.vimeo',
    'yt_dlp.extractor.soundcloud',
    'yt_dlp.extractor.tiktok',
    'yt_dlp.extractor.instagram',
    'yt_dlp.extractor.twitter',
    'yt_dlp.extractor.twitch',
    'yt_dlp.extractor.reddit',
    'yt_dlp.extractor.dailymotion',
    'yt_dlp.downloader.dash',
    'yt_dlp.downloader.fragment',
    'yt_dlp.downloader.hls',
    'yt_dlp.downloader.http',
    'concurrent.futures.thread',
    'encodings.idna',
)

_PAGE = (
    b'<html><head><title>t</title><meta property="og:title" content="t"/><meta property="og:video" content="/v.mp4"/>'
    b'<script type="application/ld+json">{"@type":"VideoObject","contentUrl":"/v.mp4","name":"t"}</script></head>'
    b'<body><video src="/v.mp4"></video></body></html>'
)


def _answer(connection):
    with connection:
        head = b''
        while b'\r\n\r\n' not in head:
            chunk = connection.recv(65536)
            if not chunk:
                return
            head += chunk
        is_page = head.split(b' ', 2)[1] == b'/page'
        kind, body = (b'text/html; charset=utf-8', _PAGE) if is_page else (b'video/mp4', b'\0' * 64)
        connection.sendall(
            b'HTTP/1.1 200 OK\r\nConnection: close\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n'
            b'Content-Type: %s\r\nContent-Length: %d\r\n\r\n' % (kind, len(body)),
        )
        if not head.startswith(b'HEAD'):
            connection.sendall(body)


def _serve(listener):
    with contextlib.suppress(OSError):
        while True:
            _answer(listener.accept()[0])


def _extract_once(main, options):
    """Two small extractions over loopback: every code path of a run is then imported, compiled and cached."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener,))
        thread.start()
        address = 'http://127.0.0.1:%d' % listener.getsockname()[1]
        try:
            for path in ('/v.mp4', '/page'):
                with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
                    with contextlib.redirect_stderr(io.StringIO()):
                        main([*options, '--ignore-config', '--no-plugin-dirs', '--no-cache-dir', '-J', address + path])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _ask_versions(options):
    import yt_dlp
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

    parsed = yt_dlp.parse_options([*options, '--ignore-config']).ydl_opts
    with yt_dlp.YoutubeDL({**parsed, 'quiet': True}, auto_init=False) as downloader:
        FFmpegPostProcessor(downloader).get_versions(downloader)
        for runtime in downloader._js_runtimes.values():
            _ = runtime and runtime.info


def warm_up(options, report):
    """Returns `yt_dlp.main`. `options` are the arguments each run begins with; `report` is told what could not be warmed.

    What touches the inside of yt-dlp may stop fitting a later version: the run is then slower, never wrong.
    """
    import yt_dlp
    from yt_dlp.extractor import gen_extractor_classes

    for module in _MODULES:
        try:
            importlib.import_module(module)
        except ImportError as error:
            report(f'not preloaded: {error}')
    fill = []
    steps = (
        shortcuts.remember_js_runtimes,
        shortcuts.hash_in_ordered_set,
        shortcuts.hash_extractor_names,
        shortcuts.draw_no_unread_tables,
        lambda: fill.append(shortcuts.keep_option_parser()),
        lambda: fill.append(shortcuts.keep_tls_contexts()),
        lambda: _ask_versions(options),
        lambda: [extractor.suitable('https://warm.invalid/') for extractor in gen_extractor_classes()],
        shortcuts.compile_addresses,
        lambda: _extract_once(yt_dlp.main, options),
        lambda: [ready() for ready in fill],
    )
    for step in steps:
        try:
            step()
        except Exception as error:
            report(f'not warmed: {type(error).__name__}: {error}')
    gc.collect()
    gc.freeze()
    return yt_dlp.main


def run_main(main, command):
    """What the interpreter does around `main` in a process of its own. Never returns."""
    sys.stdin = open(0, encoding='utf-8')
    sys.stdout = open(1, 'w', encoding='utf-8')
    sys.stderr = open(2, 'w', encoding='utf-8', errors='backslashreplace', buffering=1)
    sys.argv = command
    status = 1
    try:
        main(command[1:])
        status = 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status = (end.code or 0) & 0xFF
        else:
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
