"""A plug-in of yt-dlp: gives its solver of YouTube's challenges the libraries it asks for, from npm.

yt-dlp comes with the solver, but not always with the libraries: without the Python package `yt-dlp-ejs` it downloads
them, which the daemon does not let it. What yt-dlp finds by itself is taken first.
"""

import os

from yt_dlp.extractor.youtube.jsc._builtin.ejs import EJSBaseJCP, Script, ScriptSource, ScriptType, ScriptVariant

_LIBRARIES = {'meriyah': 'YTDLPD_MERIYAH', 'astring': 'YTDLPD_ASTRING'}


def _load(variable):
    """A CommonJS file that requires no other, as an expression for what it exports."""
    with open(os.environ[variable], encoding='utf-8') as file:
        return f'(function (exports) {{{file.read()}\nreturn exports}})({{}})'


def _from_npm(provider, script_type):
    if script_type is not ScriptType.LIB:
        return None
    try:
        members = ', '.join(f'{name}: {_load(variable)}' for name, variable in _LIBRARIES.items())
    except (KeyError, OSError) as error:
        provider.logger.warning(f'The libraries of the challenge solver cannot be read: {error!r}')
        return None
    # yt-dlp knows no digest of this variant: it was npm that checked the files.
    code = f'var lib = {{{members}}};'
    return Script(script_type, ScriptVariant.UNKNOWN, ScriptSource.BUILTIN, provider._SCRIPT_VERSION, code)


def _add_source(list_sources):
    def list_more_sources(self):
        yield from list_sources(self)
        yield ScriptSource.BUILTIN, lambda script_type: _from_npm(self, script_type)

    return list_more_sources


EJSBaseJCP._iter_script_sources = _add_source(EJSBaseJCP._iter_script_sources)
