import { z } from 'zod'

import { TaskError } from '../domain/errors.ts'

/** One stream of media of a broadcast, as yt-dlp chose it. */
export type LiveTrack = Readonly<{
  url: string
  isHls: boolean
  headers: Readonly<Record<string, string>>
  hasAudio: boolean
  /** For finding the variant meant when `url` is a master playlist. */
  height: number | null
  /** Bits a second. */
  bitRate: number | null
}>

/** What of a broadcast is to be recorded. */
export type LiveSource = Readonly<{
  /** yt-dlp says the broadcast is running; null when it does not know, as for a bare link. */
  isLive: boolean | null
  /** One with everything, or one of video and one of audio. */
  tracks: readonly LiveTrack[]
}>

const formatSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  protocol: z.string().nullish(),
  http_headers: z.record(z.string(), z.string()).nullish(),
  acodec: z.string().nullish(),
  height: z.number().nullish(),
  tbr: z.number().nullish(),
})

const infoSchema = z.object({
  is_live: z.boolean().nullish(),
  live_status: z.string().nullish(),
  requested_formats: z.array(formatSchema).nullish(),
})

/** Request headers that name a person; they have no place among a program's arguments. */
const SECRET_HEADERS: ReadonlySet<string> = new Set(['cookie', 'authorization', 'proxy-authorization'])

/**
 * The tracks to record, from the info JSON of yt-dlp, which has chosen the formats. For `audio` only what sounds.
 * Throws TaskError `live_not_started`, `no_media`, or `format_unavailable` for a protocol that cannot be recorded.
 */
export function liveSourceOf(info: unknown, kind: 'video' | 'audio'): LiveSource {
  const parsed = infoSchema.safeParse(info)
  if (!parsed.success) throw new TaskError('no_media', 'the site names no stream to record', { cause: parsed.error })
  const { is_live, live_status, requested_formats: chosen } = parsed.data
  if (live_status === 'is_upcoming') throw new TaskError('live_not_started', 'the broadcast has not begun')
  const formats = chosen != null && chosen.length > 0 ? chosen : [formatSchema.safeParse(info).data]
  const tracks = formats.filter((format) => format !== undefined).map(toTrack)
  const wanted = kind === 'audio' ? tracks.filter((track) => track.hasAudio).slice(-1) : tracks.slice(0, 2)
  if (wanted.length === 0) throw new TaskError('no_media', `the site names no ${kind} stream to record`)
  return { isLive: is_live ?? (live_status == null ? null : live_status === 'is_live'), tracks: wanted }
}

function toTrack(format: z.infer<typeof formatSchema>): LiveTrack {
  const protocol = format.protocol ?? 'https'
  const isHls = protocol.startsWith('m3u8')
  if (!isHls && protocol !== 'http' && protocol !== 'https') {
    throw new TaskError('format_unavailable', `live streams by ${protocol} cannot be recorded; choose an HLS format`)
  }
  return {
    url: format.url,
    isHls,
    headers: plainHeaders(format.http_headers ?? {}),
    hasAudio: format.acodec !== 'none',
    height: format.height ?? null,
    bitRate: format.tbr == null ? null : format.tbr * 1000,
  }
}

/** Without secrets, and without what could end a header and begin another. */
function plainHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).filter(
    ([name, value]) => !SECRET_HEADERS.has(name.toLowerCase()) && /^[\w-]+$/.test(name) && /^[ -~]*$/.test(value),
  )
  return Object.fromEntries(entries)
}
