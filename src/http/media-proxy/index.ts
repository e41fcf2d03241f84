import { pipeline } from 'node:stream/promises'
import express, { type Request, type RequestHandler, type Response } from 'express'
import { z } from 'zod'
import { Refusal, TaskError } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { whyNotMedia } from '../../domain/media-hosts.ts'
import { PLATFORMS, type Platform } from '../../domain/platform.ts'
import { REFERERS } from '../../domain/post.ts'
import type { EgressStream } from '../../engine/egress/index.ts'
import { authenticateOrAnonymous } from '../anonymous.ts'
import { errorHandler, type ErrorBody } from '../errors.ts'
import { refuseOtherMethods } from '../other-methods.ts'
import { setKey, type Endpoint } from '../route.ts'
import type { MediaProxyContext } from './context.ts'
import { linkSigner, PROXY_PATH } from './links.ts'
import { OpenStreams } from './open-streams.ts'

const MAX_URL = 8_192
const MAX_HEADER = 256

const query = z.object({
  platform: z.enum(PLATFORMS).meta({ description: 'The service that keeps the medium', example: 'instagram' }),
  url: z.string().min(1).max(MAX_URL).meta({ description: 'Of the medium, as a parse gave it' }),
  key: z.string().optional().meta({ description: 'Of a signed link' }),
  expires: z.string().optional().meta({ description: 'Of a signed link' }),
  signature: z.string().optional().meta({ description: 'Of a signed link' }),
})
type Medium = Readonly<{ platform: Platform; url: string }>

/** The route as the description shows it. */
export const mediaProxyEndpoint: Endpoint = {
  method: 'get',
  path: PROXY_PATH,
  permission: 'parse',
  counts: false,
  query,
  body: null,
  doc: {
    summary: 'Pass a medium on from its host',
    description:
      'With the headers that the host wants to see, and `Range`. Only from hosts that the service keeps its media on, and ' +
      'only video, sound and pictures. `download_failed` names the status of the host, 0 where there was none.',
    tag: 'Media proxy',
    keyless:
      'Needs no key with a signed link, while the daemon listens on this machine alone, or with `ANONYMOUS_ACCESS=picoshot`.',
    answers: { 200: '*/*', 206: '*/*' },
    headers: { Range: 'The part of the medium that is wanted' },
  },
}

/** Every error of the proxy. */
export const mediaProxyErrorSchema = z
  .strictObject({
    error: z.string().meta({ description: '`invalid_request`, `download_failed`, or why the call was refused' }),
    status: z.int().optional().meta({ description: 'What the host answered, with `download_failed`' }),
  })
  .meta({ id: 'MediaProxyError', description: 'Why nothing was passed on' })

/** The proxy with errors of its own, for the faces that have it: it knows no other path. */
export function createMediaProxy(ctx: MediaProxyContext): RequestHandler {
  const router = express.Router({ caseSensitive: true })
  const streams = new OpenStreams(ctx.keys, ctx.settings.mediaProxyStreams)
  router.get(PROXY_PATH, async (req, res) => {
    // As a fault of the call it is told first to whoever may call at all.
    const parsed = query.safeParse(req.query)
    const key =
      (parsed.success ? linkSigner(ctx, req, parsed.data) : null) ?? authenticateOrAnonymous(ctx, req, 'picoshot')
    setKey(res, key)
    if (!key.permissions.includes('parse')) throw new Refusal('forbidden', 'Insufficient permissions')
    if (!parsed.success) throw new Refusal('invalid_request', 'invalid_request', { cause: parsed.error })
    using stream = streams.open(key.id, res)
    await passOn(ctx, parsed.data, { req, res, key, signal: stream.signal })
  })
  refuseOtherMethods(router, [mediaProxyEndpoint])
  router.use(errorHandler(errorBody))
  return (req, res, next) => (req.path === PROXY_PATH ? router(req, res, next) : next())
}

type ProxyCall = Readonly<{ req: Request; res: Response; key: ApiKey; signal: AbortSignal }>

async function passOn(ctx: MediaProxyContext, medium: Medium, { req, res, signal }: ProxyCall): Promise<void> {
  const answer = await ask(ctx, medium, req, signal)
  const { body, status, headers } = answer
  const type = mediaTypeOf(headers.get('content-type'))
  if (status < 200 || status > 299 || type === null) {
    body.destroy()
    throw new DownloadFailed(status)
  }
  res.status(status)
  res.setHeader('Content-Type', type)
  for (const name of PASSED) {
    const value = headers.get(name)
    if (value !== null) res.setHeader(name, value)
  }
  res.setHeader('Accept-Ranges', 'bytes')
  res.setHeader('Cache-Control', 'private, max-age=300')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Security-Policy', "sandbox; default-src 'none'; media-src 'self'; img-src 'self'")
  if (!SHOWN.test(type)) res.setHeader('Content-Disposition', 'attachment')
  // Whoever breaks off, the other one is let go: what was sent shows by its length that it is not whole.
  await pipeline(body, res).catch(() => undefined)
}

/** What goes on of the host's headers besides the type. */
const PASSED = ['content-length', 'content-range', 'content-encoding', 'last-modified', 'etag']

/** What may be passed on, and what of it a browser may show in place. */
const MEDIA =
  /^(video|audio)\/[\w.+-]+$|^image\/(jpeg|png|webp|gif|avif|heic)$|^application\/(vnd\.apple\.mpegurl|x-mpegurl|dash\+xml|octet-stream)$|^binary\/octet-stream$/
const SHOWN = /^(video|audio|image)\//

/** The type alone, null when it is none of a medium: a page or a script is not passed on. */
function mediaTypeOf(header: string | null): string | null {
  const [type = ''] = (header ?? 'application/octet-stream').split(';', 1)
  const name = type.trim().toLowerCase()
  return MEDIA.test(name) ? name : null
}

/** As a browser would ask that shows the service's own page. */
const USER_AGENT = 'Mozilla/5.0 AppleWebKit/537.36 Chrome/120 Safari/537.36'

async function ask(ctx: MediaProxyContext, medium: Medium, req: Request, signal: AbortSignal): Promise<EgressStream> {
  const { platform, url } = medium
  const hosts = ctx.mediaHosts[platform]
  const address = URL.parse(url)
  const why = address === null ? 'the address cannot be read' : whyNotMedia(address, hosts)
  if (why !== null) throw new Refusal('invalid_request', why)
  const referer = REFERERS[platform]
  const headers: Record<string, string> = { 'User-Agent': USER_AGENT, Referer: referer, 'Accept-Encoding': 'identity' }
  if (platform === 'youtube') headers['Origin'] = new URL(referer).origin
  for (const name of ['Range', 'If-Range'] as const) {
    const value = req.get(name)
    if (value !== undefined && value.length <= MAX_HEADER) headers[name] = value
  }
  try {
    return await ctx.openMedia(url, {
      method: req.method === 'HEAD' ? 'HEAD' : 'GET',
      headers,
      signal,
      maxBytes: ctx.settings.maxMediaBytes,
      refuse: (hop) => whyNotMedia(hop, hosts),
    })
  } catch (error) {
    if (error instanceof TaskError) throw new DownloadFailed(0, { cause: error })
    throw error
  }
}

/** The host gave nothing that could be passed on. */
class DownloadFailed extends Refusal {
  /** The host's answer; 0 = there was none. */
  readonly status: number

  constructor(status: number, options: ErrorOptions = {}) {
    super('extraction_failed', 'download_failed', options)
    this.status = status
  }
}

const errorBody: ErrorBody = (refusal, { res }) => {
  if (refusal instanceof DownloadFailed) {
    res.status(502)
    return { error: 'download_failed', status: refusal.status } satisfies z.input<typeof mediaProxyErrorSchema>
  }
  return { error: refusal.code } satisfies z.input<typeof mediaProxyErrorSchema>
}
