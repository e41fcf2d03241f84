import type { RequestListener } from 'node:http'

/** `yt-dlp` fetches by itself, `ffmpeg` stands for the runs in which ffmpeg fetches. */
export type AttackTool = 'yt-dlp' | 'ffmpeg'

/**
 * One way to make a tool fetch from inside. In texts `{origin}` stands for the attacker's server, `{inside}` for a URL of
 * the inside server that belongs to this attack alone, `{port}` for the port that both servers have.
 */
export type Attack = Readonly<{
  id: string
  /** What is submitted. */
  url: string
  /** What the attacker's server answers below `{origin}`, which ends with the attack's id. */
  routes: Readonly<Record<string, Route>>
  tools: readonly AttackTool[]
  /** The tools that would get inside if the policy let them: it is the policy that is tested. */
  reaches: readonly AttackTool[]
  /** It needs the names of `ATTACK_NAMES`. */
  needsNames: boolean
  /** A proxy cannot stop it: the tool connects by itself. Only runs without any other way out are safe from it. */
  needsConfinement: boolean
}>

export type Route = Readonly<{ status?: number; type?: string; location?: string; body?: string }>

/** Address of the inside server. */
export const INSIDE_ADDRESS = '127.0.0.9'
/** Address of the attacker's server, which the operator has to open for the tests. */
export const ORIGIN_ADDRESS = '127.0.0.1'

/** Names of the attacker; one list of addresses per look-up, the last one for good. */
export const ATTACK_NAMES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'inside.test': [[INSIDE_ADDRESS]],
  'dual.test': [[ORIGIN_ADDRESS, INSIDE_ADDRESS]],
  'dual-first.test': [[INSIDE_ADDRESS, ORIGIN_ADDRESS]],
  'mapped.test': [[`::ffff:${INSIDE_ADDRESS}`]],
  'rebind.test': [[ORIGIN_ADDRESS], [INSIDE_ADDRESS]],
}

const BOTH: readonly AttackTool[] = ['yt-dlp', 'ffmpeg']

type Draft = Partial<Omit<Attack, 'id'>>

const attack = (id: string, draft: Draft): Attack => ({
  id,
  url: '{origin}/start',
  routes: {},
  tools: BOTH,
  reaches: draft.tools ?? BOTH,
  needsNames: false,
  needsConfinement: false,
  ...draft,
})

/** Every spelling of 127.0.0.9 that a parser on the way may read as an address. */
const SPELLINGS: readonly (readonly [host: string, isConnectable: boolean])[] = [
  ['127.0.0.9', true],
  ['127.0.0.9.', true],
  ['127.9', true],
  ['127.0.9', true],
  ['2130706441', true],
  ['0x7f000009', true],
  ['0x7f.0.0.9', true],
  ['0x7f.9', true],
  ['017700000011', true],
  ['0177.0.0.011', true],
  ['127.000.000.011', true],
  ['[::ffff:127.0.0.9]', true],
  ['[::ffff:7f00:9]', true],
  ['[0:0:0:0:0:ffff:127.0.0.9]', true],
  ['[::127.0.0.9]', false],
  ['[64:ff9b::127.0.0.9]', false],
  ['[64:ff9b:1::127.0.0.9]', false],
  ['[2002:7f00:9::]', false],
  ['[2001:0:7f00:9::1]', false],
  ['[2001:0:808:808::80ff:fff6]', false],
  ['[fe80::7f00:9]', false],
]

const literals = SPELLINGS.map(([host, isConnectable], index) =>
  attack(`literal-${index}`, {
    url: `http://${host}:{port}/literal-${index}/x.mp4`,
    reaches: isConnectable ? BOTH : [],
  }),
)

const named = Object.keys(ATTACK_NAMES)
  .filter((name) => name !== 'rebind.test')
  .map((name) =>
    attack(`name-${name}`, {
      url: `http://${name}:{port}/name-${name}/x.mp4`,
      needsNames: true,
      // Which of two addresses is taken is the resolver's choice.
      reaches: name === 'dual.test' ? [] : BOTH,
    }),
  )

const redirects = [301, 302, 303, 307, 308].map((status) =>
  attack(`redirect-${status}`, { routes: { '/start': { status, location: '{inside}/x.mp4' } } }),
)

const SCHEMES = [
  'file:///etc/passwd',
  'ftp://127.0.0.9:{port}/x.mp4',
  'gopher://127.0.0.9:{port}/x',
  'data:video/mp4,x',
]
const OTHER_SCHEMES = [
  ...SCHEMES,
  'rtmp://127.0.0.9:{port}/live/x',
  'tcp://127.0.0.9:{port}',
  'udp://127.0.0.9:{port}',
  'rtsp://127.0.0.9:{port}/x',
  'mmsh://127.0.0.9:{port}/x',
  'srtp://127.0.0.9:{port}',
  'ws://127.0.0.9:{port}/x',
]

const redirectSchemes = OTHER_SCHEMES.map((location) =>
  attack(`redirect-${location.split(':', 1)[0]}`, { routes: { '/start': { status: 302, location } }, reaches: [] }),
)

const chained = [
  attack('redirect-chain', {
    routes: {
      '/start': { status: 302, location: '{origin}/second' },
      '/second': { status: 307, location: '{origin}/third' },
      '/third': { status: 302, location: '{inside}/x.mp4' },
    },
  }),
  attack('redirect-relative', {
    routes: { '/start': { status: 302, location: '//127.0.0.9:{port}/redirect-relative/x.mp4' } },
  }),
  attack('redirect-decimal', {
    routes: { '/start': { status: 302, location: 'http://2130706441:{port}/redirect-decimal/x.mp4' } },
  }),
  attack('rebinding', {
    url: 'http://rebind.test:{port}/rebinding/start',
    routes: { '/start': { status: 302, location: 'http://rebind.test:{port}/rebinding/x.mp4' } },
    needsNames: true,
  }),
]

const M3U8 = 'application/vnd.apple.mpegurl'
const hls = (...lines: readonly string[]): Route => ({
  type: M3U8,
  body: ['#EXTM3U', '#EXT-X-VERSION:7', ...lines, ''].join('\n'),
})
const media = (...lines: readonly string[]): Route => hls('#EXT-X-TARGETDURATION:2', ...lines, '#EXT-X-ENDLIST')
const START_HLS = '{origin}/start.m3u8'

const playlists = [
  attack('hls-segment', { url: START_HLS, routes: { '/start.m3u8': media('#EXTINF:2,', '{inside}/0.ts') } }),
  attack('hls-later-segment', {
    url: START_HLS,
    routes: {
      '/start.m3u8': media('#EXTINF:2,', '0.ts', '#EXTINF:2,', '{inside}/1.ts'),
      '/0.ts': { type: 'video/mp2t', body: 'G' },
    },
  }),
  attack('hls-segment-redirect', {
    url: START_HLS,
    routes: {
      '/start.m3u8': media('#EXTINF:2,', '0.ts'),
      '/0.ts': { status: 302, location: '{inside}/0.ts' },
    },
  }),
  attack('hls-byte-range', {
    url: START_HLS,
    routes: { '/start.m3u8': media('#EXTINF:2,', '#EXT-X-BYTERANGE:100@0', '{inside}/0.ts') },
  }),
  attack('hls-variant', {
    url: START_HLS,
    routes: { '/start.m3u8': hls('#EXT-X-STREAM-INF:BANDWIDTH=1000', '{inside}/v.m3u8') },
  }),
  attack('hls-audio', {
    url: START_HLS,
    routes: {
      '/start.m3u8': hls(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="{inside}/a.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.42c00a,mp4a.40.2",AUDIO="a"',
        '{inside}/v.m3u8',
      ),
    },
  }),
  attack('hls-key', {
    url: START_HLS,
    routes: {
      '/start.m3u8': media('#EXT-X-KEY:METHOD=AES-128,URI="{inside}/key"', '#EXTINF:2,', '0.ts'),
      '/0.ts': { type: 'video/mp2t', body: 'x'.repeat(160) },
    },
  }),
  attack('hls-map', {
    url: START_HLS,
    routes: {
      '/start.m3u8': media('#EXT-X-MAP:URI="{inside}/init.mp4"', '#EXTINF:2,', '0.m4s'),
      '/0.m4s': { type: 'video/mp4', body: 'x' },
    },
  }),
  attack('hls-subtitles', {
    url: START_HLS,
    routes: {
      '/start.m3u8': hls(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="{inside}/s.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,SUBTITLES="s"',
        'v.m3u8',
      ),
      '/v.m3u8': media('#EXTINF:2,', '0.ts'),
      '/0.ts': { type: 'video/mp2t', body: 'x' },
    },
    reaches: ['yt-dlp'],
  }),
  ...[
    ...OTHER_SCHEMES,
    'concat:http://127.0.0.9:{port}/a|http://127.0.0.9:{port}/b',
    'crypto:{inside}/x',
    'subfile,,start,0,end,9,,:{inside}/x',
  ].map((uri, index) =>
    attack(`hls-scheme-${index}`, { url: START_HLS, routes: { '/start.m3u8': media('#EXTINF:2,', uri) }, reaches: [] }),
  ),
]

const mpd = (content: string): Route => ({
  type: 'application/dash+xml',
  body: `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT4S" minBufferTime="PT2S"><Period duration="PT4S"><AdaptationSet mimeType="video/mp4" contentType="video"><Representation id="1" bandwidth="1000" width="16" height="16" codecs="avc1.42c00a">${content}</Representation></AdaptationSet></Period></MPD>`,
})
const START_DASH = '{origin}/start.mpd'

const manifests = [
  attack('dash-base-url', { url: START_DASH, routes: { '/start.mpd': mpd('<BaseURL>{inside}/x.mp4</BaseURL>') } }),
  attack('dash-template', {
    url: START_DASH,
    routes: {
      '/start.mpd': mpd(
        '<SegmentTemplate timescale="1" duration="2" startNumber="1" initialization="{inside}/i.mp4" media="{inside}/$Number$.m4s"/>',
      ),
    },
  }),
  attack('dash-list', {
    url: START_DASH,
    routes: {
      '/start.mpd': mpd(
        '<SegmentList timescale="1" duration="2"><Initialization sourceURL="{inside}/i.mp4"/><SegmentURL media="{inside}/1.m4s"/></SegmentList>',
      ),
    },
  }),
  attack('dash-base-file', {
    url: START_DASH,
    routes: { '/start.mpd': mpd('<BaseURL>file:///etc/passwd</BaseURL>') },
    reaches: [],
  }),
]

/**
 * ffmpeg needs its protocol `httpproxy` for https by way of a proxy, and then also takes it from keys and DASH, since its
 * name begins with `http`: it sends a CONNECT to whatever server the manifest names.
 */
const HTTPPROXY = 'httpproxy://127.0.0.9:{port}/1.2.3.4:80'
const unconfined: Draft = { tools: ['ffmpeg'], reaches: [], needsConfinement: true }

const direct = [
  attack('dash-httpproxy', {
    ...unconfined,
    url: START_DASH,
    routes: { '/start.mpd': mpd(`<BaseURL>${HTTPPROXY}</BaseURL>`) },
  }),
  attack('hls-key-httpproxy', {
    ...unconfined,
    url: START_HLS,
    routes: {
      '/start.m3u8': media(`#EXT-X-KEY:METHOD=AES-128,URI="${HTTPPROXY}"`, '#EXTINF:2,', '0.ts'),
      '/0.ts': { type: 'video/mp2t', body: 'x'.repeat(160) },
    },
  }),
]

const page = (head: string, body = ''): Route => ({
  type: 'text/html',
  body: `<!doctype html><html><head><title>x</title>${head}</head><body>${body}</body></html>`,
})
const onPage = (id: string, route: Route, reaches: readonly AttackTool[] = ['yt-dlp']): Attack =>
  attack(`page-${id}`, { routes: { '/start': route }, tools: ['yt-dlp'], reaches })

const pages = [
  onPage('video', page('', '<video><source src="{inside}/x.mp4" type="video/mp4"></video>')),
  onPage('open-graph', page('<meta property="og:video" content="{inside}/x.mp4">')),
  onPage(
    'json-ld',
    page(
      '<script type="application/ld+json">{"@context":"https://schema.org","@type":"VideoObject","name":"x","contentUrl":"{inside}/x.mp4"}</script>',
    ),
  ),
  onPage('refresh', page('<meta http-equiv="refresh" content="0; url={inside}/x.mp4">')),
  onPage('iframe', page('', '<iframe src="https://cdn.jwplayer.com/players/abcdefgh-ijklmnop.html"></iframe>'), []),
  onPage('player-set-up', page('', '<script>jwplayer("x").setup({"file":"{inside}/x.mp4","title":"x"})</script>')),
  attack('page-thumbnail', {
    routes: {
      '/start': page('<meta property="og:image" content="{inside}/t.jpg">', '<video src="{origin}/x.mp4"></video>'),
      '/x.mp4': { type: 'video/mp4', body: 'x' },
    },
    tools: ['yt-dlp'],
  }),
  attack('page-subtitles', {
    routes: {
      '/start': page(
        '',
        '<video><source src="{origin}/x.mp4" type="video/mp4"><track kind="subtitles" srclang="en" src="{inside}/s.vtt"></video>',
      ),
      '/x.mp4': { type: 'video/mp4', body: 'x' },
    },
    tools: ['yt-dlp'],
  }),
  attack('feed', {
    routes: {
      '/start': {
        type: 'application/rss+xml',
        body: '<?xml version="1.0"?><rss version="2.0"><channel><title>x</title><item><title>y</title><link>{inside}/x.mp4</link></item></channel></rss>',
      },
    },
    tools: ['yt-dlp'],
  }),
  ...OTHER_SCHEMES.map((uri) =>
    onPage(`scheme-${uri.split(':', 1)[0]}`, page('', `<video><source src="${uri}" type="video/mp4"></video>`), []),
  ),
]

/** Every attack, each expected to fail. */
export const ATTACKS: readonly Attack[] = [
  ...literals,
  ...named,
  ...redirects,
  ...redirectSchemes,
  ...chained,
  ...playlists,
  ...manifests,
  ...direct,
  ...pages,
]

/** What is submitted for an attack when both servers listen on `port`. */
export function attackUrl(attack: Attack, originHost: string, port: number): string {
  return fill(attack, attack.url, { originHost, port })
}

/** The attacker's server: mount it at every path. `originHost` is what the tools call it. */
export function attackListener(originHost: string): RequestListener {
  const byId = new Map(ATTACKS.map((attack) => [attack.id, attack]))
  return (request, response) => {
    const [, id = '', path = ''] = /^\/([^/]+)(\/.*)$/.exec(request.url ?? '') ?? []
    const attack = byId.get(id)
    const route = attack?.routes[path]
    if (attack === undefined || route === undefined) return void response.writeHead(404).end()
    const place = { originHost, port: request.socket.localPort ?? 0 }
    response.writeHead(route.status ?? 200, {
      ...(route.type === undefined ? {} : { 'Content-Type': route.type }),
      ...(route.location === undefined ? {} : { Location: fill(attack, route.location, place) }),
    })
    response.end(fill(attack, route.body ?? '', place))
  }
}

/** The attack that a request of the inside server's log belongs to. */
export function attackIdOf(entry: string): string {
  return entry.split('/')[1] ?? ''
}

function fill({ id }: Attack, text: string, { originHost, port }: { originHost: string; port: number }): string {
  return text
    .replaceAll('{origin}', `http://${originHost}:${port}/${id}`)
    .replaceAll('{inside}', `http://${INSIDE_ADDRESS}:${port}/${id}`)
    .replaceAll('{port}', String(port))
}
