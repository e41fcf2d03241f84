"""A plug-in of yt-dlp: keeps cookies out of the arguments of ffmpeg, which every user of the machine can read.

ffmpeg has no other way to take them. So what it fetches itself, which is parts of media and some streams, comes without.
"""

import copy

from yt_dlp.downloader.external import FFmpegFD


class _Stranger:
    """The downloader's `ydl`, but for its cookies."""

    def __init__(self, ydl):
        self._ydl = ydl
        self.cookiejar = self

    def get_cookies_for_url(self, url):
        return []

    def __getattr__(self, name):
        return getattr(self._ydl, name)


def _without_cookies(call_downloader):
    def call(self, tmpfilename, info_dict):
        stranger = copy.copy(self)
        stranger.ydl = _Stranger(self.ydl)
        return call_downloader(stranger, tmpfilename, info_dict)

    return call


FFmpegFD._call_downloader = _without_cookies(FFmpegFD._call_downloader)
