import { constants, crc32, deflateRawSync } from 'node:zlib'
import { type OriginExchange, type OriginRoute, repeat } from './origin-exchange.ts'

const MIB = 1024 * 1024
const HTML = 'text/html; charset=utf-8'

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

type Page = Readonly<{ title: string; body: string; thumb: string | null; meta?: string }>

function htmlPage({ title, body, thumb, meta = '' }: Page): string {
  const image = thumb === null ? '' : `<meta property="og:image" content="${escapeHtml(thumb)}">`
  return `<!DOCTYPE html><html><head><title>${escapeHtml(title)}</title>
<meta property="og:title" content="${escapeHtml(title)}">${meta}${image}</head>
<body><h1>${escapeHtml(title)}</h1>${body}</body></html>`
}

function watch(exchange: OriginExchange, [name = '']: readonly string[]): void {
  const video = escapeHtml(`${exchange.url.origin}/${name}${exchange.url.search}`)
  const meta = `<meta property="og:video" content="${video}">`
  exchange.send(200, htmlPage({ title: `Test video: ${name}`, body: '', thumb: null, meta }), HTML)
}

/** A player element, because yt-dlp takes any address from one; from `og:video` only those that look like a video. */
function page(exchange: OriginExchange): void {
  const { query } = exchange
  const title = query.get('title') ?? 'Test page'
  const body = `<video src="${escapeHtml(query.get('video') ?? '')}" controls></video>`
  exchange.send(200, htmlPage({ title, body, thumb: query.get('thumb') }), HTML)
}

function redirectChain(exchange: OriginExchange): void {
  const left = Number(exchange.query.get('n') ?? 0)
  const target = exchange.query.get('to') ?? '/'
  const next = new URLSearchParams({ n: String(left - 1), to: target })
  exchange.send(302, '', HTML, { location: left > 0 ? `/redirect-chain?${next.toString()}` : target })
}

/** One gzip member of `mebibytes` MiB of zeros: a thousandth of that on the wire, compressed once. */
async function bomb(exchange: OriginExchange, [size]: readonly string[]): Promise<void> {
  const mebibytes = Number(size)
  const zeros = Buffer.alloc(MIB)
  // A full flush ends at a byte and forgets what came before, so the same block can follow itself.
  const block = deflateRawSync(zeros, { finishFlush: constants.Z_FULL_FLUSH })
  let checksum = 0
  for (let index = 0; index < mebibytes; index += 1) checksum = crc32(zeros, checksum)
  const trailer = Buffer.alloc(10)
  trailer.writeUInt16LE(0x0003, 0) // an empty last block
  trailer.writeUInt32LE(checksum, 2)
  trailer.writeUInt32LE((mebibytes * MIB) % 2 ** 32, 6)
  exchange.response.writeHead(200, {
    'content-type': exchange.query.get('type') ?? HTML,
    'content-encoding': 'gzip',
    'content-length': 10 + block.length * mebibytes + trailer.length,
  })
  await exchange.pump([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])])
  await exchange.pump(repeat(block, mebibytes))
  await exchange.pump([trailer])
  exchange.response.end()
}

async function hugeHtml(exchange: OriginExchange): Promise<void> {
  const mebibytes = Number(exchange.query.get('mb') ?? 256)
  const line = '<p>not a video</p>\n'
  const piece = Buffer.from(line.repeat(Math.ceil(MIB / line.length))).subarray(0, MIB)
  const start = Buffer.from('<!DOCTYPE html><html><body>\n')
  exchange.response.writeHead(200, { 'content-type': HTML, 'content-length': start.length + mebibytes * MIB })
  await exchange.pump([start])
  await exchange.pump(repeat(piece, mebibytes))
  exchange.response.end()
}

async function endless(exchange: OriginExchange): Promise<void> {
  const bps = Number(exchange.query.get('bps') ?? 0)
  const step = bps > 0 ? Math.max(256, Math.floor(bps / 10)) : 65_536
  exchange.response.writeHead(200, { 'content-type': exchange.query.get('type') ?? HTML })
  await exchange.pump(repeat(Buffer.alloc(step, ' '), Infinity), bps)
}

async function sink(exchange: OriginExchange): Promise<void> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MIB) chunks.push(chunk)
  }
  exchange.entry.body = Buffer.concat(chunks).toString()
  const status = exchange.failing ? Number(exchange.query.get('status') ?? 204) : 204
  exchange.response.writeHead(status, { 'content-length': 0 }).end()
}

function concat(exchange: OriginExchange): void {
  const file = exchange.query.get('file') ?? 'file:///etc/passwd'
  exchange.send(200, `ffconcat version 1.0\nfile '${file}'\n`, exchange.query.get('type') ?? 'video/mp4')
}

/** Pages, redirects and hostile answers. */
export const PAGE_ROUTES: readonly OriginRoute[] = [
  [/^\/watch\/(.+)$/, watch],
  [/^\/page$/, page],
  [
    /^\/redirect$/,
    (exchange) => {
      const { query } = exchange
      exchange.send(Number(query.get('status') ?? 302), '', HTML, { location: query.get('to') ?? '/' })
    },
  ],
  [/^\/redirect-chain$/, redirectChain],
  [
    /^\/text\/(.+)$/,
    (exchange) => {
      exchange.send(200, exchange.query.get('body') ?? '', exchange.query.get('type') ?? 'text/plain; charset=utf-8')
    },
  ],
  [/^\/ffconcat$/, concat],
  [/^\/bomb\/(\d{1,5})$/, bomb],
  [/^\/huge-html$/, hugeHtml],
  [/^\/endless$/, endless],
  [/^\/sink$/, sink],
]
