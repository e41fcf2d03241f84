"""Work that yt-dlp repeats in every run, kept from run to run. Each changes what a run costs, none what it does.

They reach into yt-dlp: a version they no longer fit makes them raise, and its runs are then as fast as they are.
"""

import functools
import sys

# An extraction builds one TLS context for each kind of request it makes: rarely more than two.
_SPARE_CONTEXTS = 2


def remember_js_runtimes():
    """A JavaScript runtime is asked for its version once, not by every run that needs one."""
    from yt_dlp.utils import _jsruntime

    for name in ('NodeJsRuntime', 'DenoJsRuntime'):
        runtime = getattr(_jsruntime, name)
        ask = functools.cache(lambda path, ask=runtime._info, kind=runtime: ask(kind(path)))
        runtime._info = lambda self, ask=ask: ask(self._path)


def hash_in_ordered_set():
    """`orderedSet` compares each item with all before it, which for the list of all extractors takes 15 ms."""
    from yt_dlp.utils import _utils

    slow = _utils.orderedSet

    def ordered_set(iterable, *, lazy=False):
        if lazy:
            return slow(iterable, lazy=True)
        items = list(iterable)
        try:
            return list(dict.fromkeys(items))
        except TypeError:
            return slow(items)

    _utils.orderedSet = ordered_set


class _HashedList(list):
    """A list that knows at once whether something is in it."""

    def __init__(self, items):
        super().__init__(items)
        self._set = frozenset(self)

    def __contains__(self, item):
        return item in self._set


def hash_extractor_names():
    """Each of the 1,800 extractors enabled by default is looked for in the list of all of them, which takes 8 ms."""
    import yt_dlp

    module = sys.modules[yt_dlp.YoutubeDL.__module__]
    slow = module.orderedSet_from_options

    def ordered_set_from_options(options, alias_dict, **settings):
        return slow(options, {**alias_dict, 'all': _HashedList(alias_dict['all'])}, **settings)

    module.orderedSet_from_options = ordered_set_from_options


_TABLES = ('render_formats_table', 'render_thumbnails_table', 'render_subtitles_table')


def draw_no_unread_tables():
    """At each stage of a run its tables of formats, subtitles and thumbnails are drawn in case `--print` shows one: 20 ms."""
    import yt_dlp

    slow = yt_dlp.YoutubeDL._forceprint

    def forceprint(self, key, info_dict):
        printed = [self.params[where].get(key, []) for where in ('forceprint', 'print_to_file')]
        # `%()j` prints every field.
        if any('_table' in text or '()' in text for text in map(str, printed)):
            return slow(self, key, info_dict)
        for name in _TABLES:
            setattr(self, name, lambda *_, **__: None)
        try:
            return slow(self, key, info_dict)
        finally:
            for name in _TABLES:
                delattr(self, name)

    yt_dlp.YoutubeDL._forceprint = forceprint


def compile_addresses():
    """What an address of an extractor looks like: compiled here for those that were imported, else by each run again."""
    for name, module in list(sys.modules.items()):
        if not name.startswith('yt_dlp.extractor.'):
            continue
        for found in list(vars(module).values()):
            if isinstance(getattr(found, '_VALID_URL', None), (str, list, tuple)):
                found.suitable('https://warm.invalid/')


def keep_option_parser():
    """The parser of the options is built in advance. Returns a function that does it. A run takes it once."""
    from yt_dlp import options

    make = options.create_parser
    spare = []
    options.create_parser = lambda: spare.pop() if spare else make()
    return lambda: spare.append(make())


def keep_tls_contexts():
    """Reading the bundle of certificate authorities takes 25 ms: contexts that have read it are made in advance.

    Returns a function that makes them, for the settings seen until it is called. A run takes each context once.
    """
    from yt_dlp.networking import common

    make = common.make_ssl_context
    spare = {}

    def take(**settings):
        ready = spare.setdefault(tuple(sorted(settings.items())), [])
        return ready.pop() if ready else make(**settings)

    def fill():
        for settings, ready in spare.items():
            ready += (make(**dict(settings)) for _ in range(_SPARE_CONTEXTS))

    common.make_ssl_context = take
    return fill
