import type { TaskErrorCode } from '../domain/errors.ts'

/**
 * What the words of yt-dlp and ffmpeg mean. Patterns are matched against one message in lower case, without its
 * `[site] id:` head, with plain apostrophes, and with every URL replaced by `<url>`. In each table the first match
 * wins, so narrow stands above wide.
 */
export type Rule = readonly [code: TaskErrorCode, pattern: RegExp]

/** `[Errno N]` of the operating system (errno(3), Linux numbers; negative ones are getaddrinfo's). */
export const ERRNO_CODES: Readonly<Record<string, TaskErrorCode>> = {
  '-5': 'dns',
  '-3': 'dns',
  '-2': 'dns',
  '1': 'storage_error', // EPERM
  '2': 'storage_error', // ENOENT: the folder is gone; a missing program is a rule of its own
  '5': 'storage_error', // EIO
  '11': 'crashed', // EAGAIN: no more threads
  '12': 'crashed', // ENOMEM
  '13': 'storage_error', // EACCES
  '17': 'storage_error', // EEXIST
  '20': 'storage_error', // ENOTDIR
  '21': 'storage_error', // EISDIR
  '24': 'crashed', // EMFILE
  '27': 'too_large', // EFBIG: RLIMIT_FSIZE
  '28': 'no_space', // ENOSPC
  '30': 'storage_error', // EROFS
  '32': 'network', // EPIPE
  '36': 'storage_error', // ENAMETOOLONG
  '101': 'network', // ENETUNREACH
  '104': 'network', // ECONNRESET
  '110': 'network', // ETIMEDOUT
  '111': 'network', // ECONNREFUSED
  '113': 'network', // EHOSTUNREACH
  '122': 'no_space', // EDQUOT
}

/** Statuses whose meaning is not simply their class; other 4xx are `access_denied`, 5xx `upstream_5xx`. */
export const STATUS_CODES: Readonly<Record<number, TaskErrorCode>> = {
  401: 'login_required',
  402: 'payment_required',
  404: 'not_found',
  407: 'egress_denied', // only a proxy says so, and the proxy is ours
  408: 'network',
  410: 'not_found',
  412: 'rate_limited', // Bilibili's "blocked by server, wait"
  416: 'network',
  425: 'network',
  429: 'rate_limited',
  451: 'geo_blocked',
}

/** The machine under the tools: said by Python or the operating system, never by a site. Read before anything else. */
export const MACHINE_RULES: readonly Rule[] = [
  ['dependency_missing', /errno 2\].*'(ffmpeg|ffprobe|node|deno|rtmpdump)'/],
  ['crashed', /^memoryerror\b|out of memory|cannot allocate memory|can't start new thread|\(memoryerror\b/],
  ['crashed', /^recursionerror\b|maximum recursion depth|fatal python error/],
  ['cancelled', /^interrupted by user/],
]

/** How a connection failed: yt-dlp's transport errors, urllib3's, OpenSSL's and ffmpeg's words for it. */
export const TRANSPORT_RULES: readonly Rule[] = [
  ['tls_error', /certificate.verify.failed|certificateverifyerror|unsafe_legacy_renegotiation|sslv3_alert|tlsv1_alert/],
  ['tls_error', /wrong_version_number|unsupported_protocol|certificate (has expired|is not yet valid)|\[ssl: /],
  ['dns', /failed to resolve|name or service not known|temporary failure in name resolution|no address associated/],
  ['dns', /nodename nor servname|getaddrinfo failed|nameresolutionerror|name does not resolve/],
  ['network', /timed? ?out|connection (aborted|reset|refused|closed|broken)|remote end closed|network is unreachable/],
  ['network', /no route to host|bytes (read|downloaded)|downloaded \d+ bytes, expected|more expected|incompleteread/],
  ['network', /content too short|badstatusline|eof occurred/],
  ['network', /got more than \d+ headers|header line|line too long|connection to .* failed|broken pipe/],
  ['network', /unexpected_eof|error \d+ while decompressing|incorrect header check|invalid (block|stored)/],
  ['network', /decode.*(gzip|deflate|zlib|brotli|zstd)|not a gzipped file|protocolerror|invalid chunk|chunked/],
]

/** Post-processing and ffmpeg inside yt-dlp. The message may hold a file name, so nothing about sites is read in it. */
export const POSTPROCESSING_RULES: readonly Rule[] = [
  ['no_space', /no space left|disk quota exceeded/],
  ['too_large', /file too large|exited with code -25\b/], // -25: SIGXFSZ
  ['dependency_missing', /not found\. please install|unknown encoder|could not be found/],
  ['egress_denied', /protocol '?[\w]+'? not on whitelist/], // media that points at file: or another scheme
  ['crashed', /cannot allocate memory|exited with code -\d+/],
  ['storage_error', /permission denied|read-only file system|input\/output error|unable to create directory/],
  ['bad_request_options', /concatenation is not supported|cannot be concatenated|cannot cut video/],
]

/** Standard error of an ffmpeg that we started ourselves; one line each. */
export const FFMPEG_RULES: readonly Rule[] = [
  ...POSTPROCESSING_RULES.slice(0, 3),
  ['egress_denied', /protocol '?[\w]+'? not on whitelist|http error 407|server returned 407/],
  ['access_denied', /(server returned|http error) 403/],
  ['login_required', /(server returned|http error) 401/],
  ['rate_limited', /(server returned|http error) 429/],
  ['not_found', /(server returned|http error) (404|410)/],
  ['access_denied', /(server returned|http error) 4\w\w/],
  ['upstream_5xx', /(server returned|http error) 5\w\w/],
  ['tls_error', /(tls|ssl).*(certificate|verif|handshake)|unable to negotiate tls|certificate verif/],
  ['invalid_media', /format not on whitelist|whitelist .*format/], // a playlist that calls itself a film
  ...TRANSPORT_RULES,
  ['crashed', /cannot allocate memory/],
  ['storage_error', /permission denied|read-only file system|no such file or directory/],
  ['bad_request_options', /unrecognized option|option not found|error (splitting|parsing) (the )?(argument|option)/],
  ['invalid_media', /invalid data found|moov atom not found|end of file|partial file|could not find codec param/],
  ['invalid_media', /input\/output error|error (while )?decoding|corrupt|does not contain any stream/],
]

/** Sentences that close the matter wherever they stand: nothing later in the table may take them. */
export const FIRST_RULES: readonly Rule[] = [
  ['unsupported_url', /unsupported url|not a valid url|no suitable extractor|file:\/\/ urls are disabled/],
  ['unsupported_url', /no connection adapters|^invalid url|blob url|forget to quote the url|used for piracy/],
  ['unsupported_url', /web ?site is not supported|smuggled data|incomplete youtube id|without video id/],
  ['unsupported_url', /(input url is missing|in url$|contents for this url)|invalid .*url$/],
  ['unsupported_url', /the frame showing the video/],
  ['dependency_missing', /could not be run|not found\. please install|not found, please install/],
  ['dependency_missing', /phantomjs (not found|binary)/],
  ['dependency_missing', /impersonate target .*not available|unsupported impersonate|requires impersonation/],
  ['dependency_missing', /dependenc(y|ies) .*(install|missing)|requires websocket|could not be found\. please install/],
  ['dependency_missing', /no (supported )?javascript runtime|no request handlers|js dependency/],
  ['bad_request_options', /proxy is not supported|unsupported proxy type|invalid proxy url|proxy .*missing scheme/],
  ['bad_request_options', /error in output template|unscoped cookies|invalid netrc|netrc_machine/],
  ['bad_request_options', /invalid extractor-arg|client certif/],
  ['bad_request_options', /invalid (area|backend value|comments_sort_by|download number|format sort|query tags)/],
  ['bad_request_options', /unsupported (language code|api client|extensions)|valid api selection/],
  ['bad_request_options', /player clients have been requ/],
  ['bad_request_options', /test case .* not found|multiple matching extractors|no extractors matching/],
  ['bad_request_options', /file could not be (read|opened)/],
  ['bad_request_options', /concatenation is not supported|invalid filter|no such option|different device_id/],
]

/** What yt-dlp says when the options of the request exclude the media; it calls that success. */
export const FILTER_RULES: readonly Rule[] = [
  ['filtered', /does not pass filter|did(n't| not) match pattern|rejected (title|by)|maximum number of downloads/],
  ['filtered', /break.?on|already been recorded/],
  ['too_large', /larger than max-filesize/],
]

/** Reasons a site gives, in the order of the most telling word. */
export const SITE_RULES: readonly Rule[] = [
  ['drm', /\bdrm\b|widevine|playready|fairplay/],
  ['bot_check', /not a bot|captcha|anti-?bot|as a bot|js challenge|challenge (webpage|data|page)|tls fingerprint/],
  ['bot_check', /unusual traffic|ip (address )?is (likely )?(being )?blocked|considered .* automated|cloudflare/],
  ['bot_check', /ip address is unable|login from an unusual|log in from an unusual|generic:impersonate/],
  ['rate_limited', /too many requests|rate.?limit|request is (blocked|rejected) by server|wait and try later/],
  ['rate_limited', /play limit/],
  ['rate_limited', /content isn't available, try again later|exceeded .*limit|throttled/],
  ['age_restricted', /age.?(restrict|verif|limit|gate|check)|confirm your age|adult (verif|content)|nsfw|nsfl/],
  ['age_restricted', /sensitive content/],
  ['age_restricted', /inappropriate for some users|older than \d+|\d+ years old|only available after \d\d/],
  ['age_restricted', /under (18|the age)|mature/],
  ['password_required', /--video-password|password.?protected|protected (by|with) a pass(word|code)|passcode/],
  ['password_required', /^(wrong|invalid|incorrect) (video )?password/],
  ['auth_failed', /(unable|failed) to (log|sign).?in|log.?in (failed|error)/],
  ['auth_failed', /(invalid|wrong|incorrect|bad) .*(user ?name|credentials)/],
  ['auth_failed', /user ?(name|id) or password|invalid (email|password)|cookies (are|have) (no longer|expired)/],
  ['auth_failed', /tokens? (has|have|is|are) .*(expired|invalid)/],
  ['auth_failed', /expired token|token .*(is not valid|already expired)|auth token|authori[sz]ation lost/],
  ['auth_failed', /no longer supported.*log|^log.?in (with|using)/],
  ['auth_failed', /access token (not|is|array)|provided cookies|refresh cookies|required cookies/],
  ['auth_failed', /fetch (new )?(access|oauth) token|account is linked/],
  ['auth_failed', /login url hostname|invalid login|invalid access token|access token$|login region|skip=authcheck/],
  ['auth_failed', /authentication token/],
  ['live_not_started', /ended but not downloadable yet|archive will be available shortly/],
  [
    'live_ended',
    /(stream|broadcast|event|live|space|show)( video| event)? (has |was |is )?(already )?(ended|finished)/,
  ],
  ['live_ended', /(stream|broadcast|event|live|show) (has |is )?(expired|over)\b/],
  ['payment_required', /premium|subscri(be|ption)|purchas|\brent(al|ed|s)?\b|members?.?only|join this channel/],
  ['payment_required', /ticket|\bpaid\b|\bpay\b/],
  ['payment_required', /supporter|\bvip\b|payment|\bcoins?\b|not free|for .*members\b|tv provider|patron/],
  ['payment_required', /available for (channel )?members/],
  ['private', /private (video|account|show|play|subreddit|favou?rites)|is (a )?private|either private/],
  ['private', /protected tweet|permission to view|embed-only/],
  ['not_found', /may be deleted or geo-restricted/], // Bilibili's -404: far more often deleted
  ['geo_blocked', /geo.?(restrict|block|lock)/],
  ['geo_blocked', /in (your|this|the user's|the current) (country|region|location|area|territory)/],
  ['geo_blocked', /your (current )?(location|country|region)/],
  ['geo_blocked', /(available|licensed|restricted) .*\b(in|to) [a-z ]+ only|mainland china/],
  ['geo_blocked', /blocked by decision of|outside (of )?(the |your )?[a-z ]+ region|vpn or a proxy/],
  ['geo_blocked', /only available in [a-z]+$|try using proxy/],
  ['live_not_started', /will (begin|start)|premieres? (in|will)|not (yet )?(been )?started|not yet (begun|live)/],
  ['live_not_started', /scheduled|will be available/],
  ['live_not_started', /not (yet available|available yet)|release date|offline \(expected\)|starts (in|at)|upcoming/],
  ['live_not_started', /still (be )?(uploading|processing)|(is|we're) processing|too new|waiting for/],
  ['live_ended', /no archive|archive nor live|replay is disabled|live( ?stream)? recording is not available/],
  ['not_live', /not (currently )?(live|streaming|on air|broadcasting)|^offline\.?$|is (now |currently )?offline/],
  ['not_live', /auto-playing|on-air .* channel|no active stream/],
  ['login_required', /registered users|log.?(ged.?)?in\b|sign in|cookies .*(needed|required)/],
  ['login_required', /account (is needed|authentic)|authentication/],
  ['login_required', /not authori[sz]ed|permission|(not|does not) have access|unverified account/],
  ['login_required', /account .*does not have (access|permission|the )|members can/],
  ...FILTER_RULES,
  ['format_unavailable', /requested format is not available|requested formats are incompatible/],
]

/** Words of yt-dlp about itself and of sites about their media; wide patterns, so they come late. */
export const LATE_RULES: readonly Rule[] = [
  ['network', /did not get any data blocks|downloaded file is empty|fragment .* not found|unable to open fragment/],
  ['upstream_5xx', /temporarily unavailable|server.?side|internal server error|service unavailable/],
  ['extractor_broken', /not found in |url not found|parameters not found|^missing |xml (element|attribute)/],
  ['extractor_broken', /guest token|syndication endpoint/],
  ['extractor_broken', /^unable to (extract|parse|find|get|recognize|resolve|decode|construct|fetch)/],
  ['extractor_broken', /^(failed|could not|cannot|can not|couldn't) (to )?(extract|parse|decrypt|identify)/],
  ['extractor_broken', /failed to parse json|unexpected (api )?(response|error|video|content)/],
  ['extractor_broken', /extractor (failed|error)|an extractor error/],
  ['extractor_broken', /incomplete (yt initial )?data|in(correct|valid) json|wrong video data|graphql api error/],
  ['extractor_broken', /infinite loop|infos failed/],
  ['no_media', /no [\w ]{0,15}(video|audio|media|embed|episode|stream|source|song|track)s?\b[^.]* (found|available)/],
  [
    'no_media',
    /no [\w ]{0,15}(supported|suitable|valid|download|playlist|format|file|player)s?\b[^.]* (found|available)/,
  ],
  ['no_media', /no video (formats|could|on|in|with)|there is no video|there's no video|no formats|no downloads/],
  ['no_media', /no chapters|no videourl/],
  ['no_media', /(is|are) not an? (video|media|file|audio|image)|(does not|doesn't) (contain|have) (a|an|any) /],
  ['no_media', /isn't a video|not a video|not contain audio/],
  ['no_media', /only video extraction/],
  ['no_media', /returned (no media|empty)|pass ticket instead|did not get a media key|empty media response/],
  ['no_media', /maybe a plain image/],
  ['not_found', /\bremoved\b|\bdeleted\b|no longer (available|exists?|online)|in no longer|does not exist/],
  ['not_found', /doesn't exist|no such|terminated/],
  ['not_found', /unavailable|not available|has been (closed|suspended|blocked)|\bsuspended\b|copyright|\bexpired\b/],
  ['not_found', /not (archived|accessible)|was deleted|no .* exists|unplayable|unreachable|taken down/],
  ['not_found', /not been made available|no .* with id/],
  ['unsupported_url', /\b(isn't|not( currently)?|currently|no longer) (un)?supported|^unsupported |^unknown /],
  ['unsupported_url', /unrecogni[sz]ed|prefix urls is broken/],
  ['access_denied', /access (is )?(denied|forbidden)|forbidden|\blocked\b|is restricted|referer|inaccessible/],
  ['access_denied', /can't be accessed|can not be accessed/],
  ['network', /disconnected|network error/],
  ['network', /could not connect|error occurred while receiving data|try again later|failed to update fragments/],
  ['network', /initialization fragment/],
  ['storage_error', /unable to (open for writing|write data|create directory|rename|remove|\w+ file)|cannot write/],
  ['invalid_media', /extracted extension .* is unusual/],
  ['ffmpeg_failed', /^(ffmpeg|ffprobe|rtmpdump|aria2c|curl|wget|mplayer|\S+) exited with code|conversion failed/],
  ['ffmpeg_failed', /invalid data found|error opening input/],
]

/** Too wide to believe when yt-dlp itself calls the failure a bug of its own. */
export const WIDE_RULES: readonly Rule[] = [
  ['no_media', /(could not|couldn't|can't|cannot|can not|failed to|unable to) (find|get|obtain|retrieve|access)\b/],
  ['not_found', /not (been )?found/],
]
