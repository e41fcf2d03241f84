"""A plug-in of yt-dlp: asks the server that the operator named for YouTube's PO tokens.

It speaks the protocol of the server of bgutil-ytdlp-pot-provider: `POST /get_pot` with `content_binding`, answered with
`poToken`. That project's own plug-in goes round the proxy, which no run of the daemon can.
"""

import json
import urllib.parse

from yt_dlp.extractor.youtube.pot.provider import (
    PoTokenContext,
    PoTokenProvider,
    PoTokenProviderError,
    PoTokenResponse,
    register_provider,
)
from yt_dlp.extractor.youtube.pot.utils import WEBPO_CLIENTS, get_webpo_content_binding
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import RequestError

_TIMEOUT_S = 20
_MAX_ANSWER = 64 * 1024


@register_provider
class YtdlpdPTP(PoTokenProvider):
    PROVIDER_NAME = 'ytdlpd'
    _SUPPORTED_CONTEXTS = (PoTokenContext.GVS, PoTokenContext.PLAYER, PoTokenContext.SUBS)
    _SUPPORTED_CLIENTS = WEBPO_CLIENTS
    _SUPPORTED_EXTERNAL_REQUEST_FEATURES = None

    @property
    def _base_url(self):
        value = self._configuration_arg('base_url', default=[None], casesense=True)[0]
        return value and urllib.parse.unquote(value)

    def is_available(self):
        return bool(self._base_url)

    def _real_request_pot(self, request):
        binding, _ = get_webpo_content_binding(request)
        body = json.dumps({'content_binding': binding, 'bypass_cache': request.bypass_cache})
        try:
            response = self._request_webpage(
                Request(
                    f'{self._base_url}/get_pot',
                    data=body.encode(),
                    headers={'Content-Type': 'application/json'},
                    extensions={'timeout': _TIMEOUT_S},
                ),
                note='Asking for a PO token',
            )
            token = json.loads(response.read(_MAX_ANSWER)).get('poToken')
        except (RequestError, ValueError, AttributeError) as error:
            raise PoTokenProviderError('the PO token provider does not answer', expected=True) from error
        if not token or not isinstance(token, str):
            raise PoTokenProviderError('the PO token provider has no token', expected=True)
        return PoTokenResponse(po_token=token)
