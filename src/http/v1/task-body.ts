import { z } from 'zod'
import { isOfPicture, selectorsOf, type Quality } from '../../domain/quality.ts'
import {
  REQUEST_DEFAULTS,
  TASK_KINDS,
  type TaskKind,
  type TaskRequest,
  type Webhook,
  type WebhookEvent,
} from '../../domain/task.ts'
import { conflictIn } from '../../domain/wishes.ts'
import type { Order } from '../../tasks/submit.ts'
import { urlField } from '../fields.ts'
import { isFieldOf, KIND_FIELDS, type KindField } from './kind-fields.ts'
import { playlistField, playlistWish } from './playlist-field.ts'
import {
  clipsField,
  commonFields,
  filename,
  kindFields,
  list,
  object,
  webhookField,
  whole,
  word,
} from './task-fields.ts'

/** Most addresses of one call. */
const MAX_BATCH = 500
/** How far ahead a task may be put, in milliseconds. */
const MAX_AHEAD_MS = 365 * 86_400_000

const entry = z.union(
  [urlField, object('an entry of urls', { url: urlField, filename, clips: clipsField.nullish() })],
  { error: 'an entry of urls must be an address, or an object with url' },
)

const notBefore = z.iso
  .datetime({ offset: true, error: 'not_before must be a time with its zone, such as 2026-01-31T08:00:00Z' })
  .refine((value) => !(Date.parse(value) - Date.now() > MAX_AHEAD_MS), 'not_before may be at most 365 days ahead')

const fields = z.strictObject({
  url: urlField
    .nullish()
    .meta({ description: 'What to fetch', example: 'https://www.youtube.com/watch?v=BaW_jenozKc' }),
  urls: list('urls', entry, MAX_BATCH)
    .min(1, 'urls must have at least one entry')
    .nullish()
    .meta({ description: 'Instead of `url`: a batch, of which all or nothing is accepted. An entry may be an object' }),
  kind: word('kind', TASK_KINDS).nullish().meta({ description: 'What to make; video if left out' }),
  ...kindFields,
  ...commonFields,
  filename,
  playlist: playlistField.nullish().meta({ description: 'Which entries; for the kind playlist' }),
  priority: whole('priority', -100, 100)
    .nullish()
    .meta({ description: 'Higher ones of a key run first; 0 if left out' }),
  not_before: notBefore.nullish().meta({ description: 'Not to be begun before; a time in the past means at once' }),
  webhook: webhookField.nullish(),
})

type Fields = z.output<typeof fields>
type Fault = Readonly<{ path: readonly (string | number)[]; message: string }>

/** The body of `POST /v1/tasks`. */
export const taskBody: z.ZodType<Order> = fields
  .superRefine((body, ctx) => {
    const faults = faultsOf(body)
    const told = faults.length > 0 ? faults : conflictFaults(body)
    for (const { path, message } of told) ctx.addIssue({ code: 'custom', path: [...path], message })
  })
  .transform(toOrder)
  .meta({ id: 'NewTask' })

const isGiven = (value: unknown) => value !== undefined && value !== null

/** What each field cannot know by itself. */
function faultsOf(body: Fields): Fault[] {
  return [...addressFaults(body), ...kindFaults(body), ...qualityFaults(body), ...webhookFaults(body)]
}

function* addressFaults(body: Fields): Generator<Fault> {
  if (isGiven(body.url) === isGiven(body.urls)) {
    yield { path: [isGiven(body.url) ? 'urls' : 'url'], message: 'Give either url or urls' }
  }
  if (isGiven(body.urls) && body.kind === 'playlist') {
    yield { path: ['urls'], message: 'A playlist has one url; several make several calls' }
  }
  const made = madeBy(body)
  for (const [index, item] of (body.urls ?? []).entries()) {
    if (typeof item === 'object' && isGiven(item.clips) && !isFieldOf('clips', made))
      yield { path: ['urls', index, 'clips'], message: `clips has no meaning for ${made}` }
  }
}

function* kindFaults(body: Fields): Generator<Fault> {
  const kind = kindOf(body)
  const made = madeBy(body)
  for (const field of KIND_FIELDS) {
    if (isGiven(body[field]) && !isFieldOf(field, made))
      yield { path: [field], message: `${field} has no meaning for ${made}${insteadOf(field, made)}` }
  }
  if (kind !== 'playlist' && isGiven(body.playlist))
    yield { path: ['playlist'], message: `playlist has no meaning for ${kind}` }
  if (kind === 'playlist' && isGiven(body.filename))
    yield { path: ['filename'], message: 'filename has no meaning for playlist: each entry has its own name' }
  if (isFieldOf('live', made) && !isGiven(body.live))
    yield { path: ['live'], message: `live is required for ${kind}: say how long to record` }
  if (isGiven(body.clips) && isGiven(body.chapters))
    yield { path: ['chapters'], message: 'Give either clips or chapters' }
}

/** What does mean the same for the other kind of medium. */
function insteadOf(field: KindField, made: TaskKind): string {
  if (field === 'container' && isFieldOf('audio_codec', made)) return ': use audio_codec'
  if (field === 'audio_codec' && isFieldOf('container', made)) return ': use container, or kind audio'
  return ''
}

function* qualityFaults(body: Fields): Generator<Fault> {
  const { quality } = body
  const made = madeBy(body)
  const isSound = made === 'audio' || made === 'live_audio'
  if (isSound && isSilent(body)) yield { path: ['audio_format'], message: `none has no meaning for ${made}` }
  if (!quality) return
  for (const field of ['video_format', 'audio_format'] as const) {
    if (isGiven(body[field])) yield { path: [field], message: `Give either quality or ${field}` }
  }
  if (isSound && isOfPicture(quality)) yield { path: ['quality'], message: `${quality} has no meaning for ${made}` }
}

function* webhookFaults({ webhook, urls, kind }: Fields): Generator<Fault> {
  const isOne = !isGiven(urls) && kind !== 'playlist'
  if (isOne && webhook?.events?.includes('batch.completed')) {
    yield { path: ['webhook', 'events'], message: 'batch.completed is told of batches and playlists only' }
  }
}

/** The fields whose names are not those of the wishes. */
const FIELD_OF: Partial<Readonly<Record<keyof TaskRequest, keyof Fields>>> = {
  sponsorBlock: 'sponsorblock',
  audioBitrate: 'audio_bitrate',
}

/** Wishes that would only fail when the task runs. */
function conflictFaults(body: Fields): Fault[] {
  const conflict = conflictIn(toRequest(body))
  if (conflict === null) return []
  const { wish, message } = conflict
  return [{ path: [FIELD_OF[wish] ?? wish], message }]
}

const SOUND_OF: Partial<Readonly<Record<TaskKind, 'audio' | 'live_audio'>>> = {
  video: 'audio',
  live_video: 'live_audio',
}

/** The quality `audio` makes a sound of what would be a video. */
function withoutPicture<K extends TaskKind>(kind: K, quality: Quality | null | undefined): K | 'audio' | 'live_audio' {
  return quality === 'audio' ? (SOUND_OF[kind] ?? kind) : kind
}

const kindOf = (body: Fields): TaskKind => withoutPicture(body.kind ?? 'video', body.quality)

/** What kind of file comes of it. */
function madeBy(body: Fields): TaskKind {
  const kind = kindOf(body)
  return kind === 'playlist' ? withoutPicture(body.playlist?.kind ?? 'video', body.quality) : kind
}

function toOrder(body: Fields): Order {
  const request = toRequest(body)
  const isBatch = isGiven(body.urls)
  const entries = body.urls?.map((item) => (typeof item === 'string' ? { url: item } : item))
  const at = body.not_before ? Date.parse(body.not_before) : null
  return {
    requests: entries?.map((item) => ofEntry(request, item)) ?? [request],
    isBatch,
    priority: body.priority ?? 0,
    notBefore: at !== null && at > Date.now() ? at : null,
    webhook: webhookOf(body),
    sent: {},
  }
}

type Entry = Exclude<NonNullable<Fields['urls']>[number], string>

/** What an entry of a batch says itself counts more than what is said for all. */
const ofEntry = (
  request: TaskRequest,
  { url, filename: name, clips }: Partial<Entry> & { url: string },
): TaskRequest => ({
  ...request,
  url,
  outputFilename: name ?? request.outputFilename,
  clips: clips ?? request.clips,
})

function toRequest(body: Fields): TaskRequest {
  const kind = kindOf(body)
  return {
    ...REQUEST_DEFAULTS,
    kind,
    url: body.url ?? '',
    ...formatsOf(body),
    ...cutsOf(body),
    outputFormat: body.container ?? body.audio_codec ?? body.image_format ?? null,
    outputFilename: body.filename ?? null,
    live: liveOf(body),
    audioBitrate: body.audio_bitrate ?? null,
    embed: body.embed ?? [],
    write: body.write ?? [],
    subtitles: subtitlesOf(body),
    sponsorBlock: sponsorBlockOf(body),
    sitePreset: body.site_preset ?? null,
    cookies: body.cookies ?? true,
    playlist: kind === 'playlist' ? playlistOf(body) : null,
  }
}

const cutsOf = (body: Fields): Pick<TaskRequest, 'clips' | 'chapters' | 'forceKeyframes'> => ({
  clips: body.clips ?? [],
  chapters: body.chapters ?? null,
  forceKeyframes: body.exact_cuts ?? false,
})

const liveOf = ({ live }: Fields): TaskRequest['live'] =>
  live ? { start: live.start ?? 0, duration: live.duration } : null

function formatsOf(body: Fields): Pick<TaskRequest, 'videoFormat' | 'audioFormat'> {
  if (body.quality) return selectorsOf(body.quality)
  const { videoFormat, audioFormat } = REQUEST_DEFAULTS
  return {
    videoFormat: body.video_format ?? videoFormat,
    audioFormat: isSilent(body) ? null : (body.audio_format ?? audioFormat),
  }
}

const isSilent = ({ audio_format: selector }: Fields) => /^none$/i.test(selector ?? '')

function subtitlesOf({ subtitles }: Fields): TaskRequest['subtitles'] {
  const { languages, automatic, format } = REQUEST_DEFAULTS.subtitles
  return {
    languages: subtitles?.languages ?? languages,
    automatic: subtitles?.automatic ?? automatic,
    format: subtitles?.format ?? format,
  }
}

function sponsorBlockOf({ sponsorblock }: Fields): TaskRequest['sponsorBlock'] {
  if (!sponsorblock) return null
  return { action: sponsorblock.action ?? 'mark', categories: sponsorblock.categories ?? ['sponsor'] }
}

function playlistOf({ playlist, quality }: Fields): TaskRequest['playlist'] {
  const wish = playlistWish(playlist ?? {})
  return quality === 'audio' && wish.kind === 'video' ? { ...wish, kind: 'audio' } : wish
}

const OF_ONE: readonly WebhookEvent[] = ['task.completed', 'task.failed', 'task.cancelled']
const OF_MANY: readonly WebhookEvent[] = ['batch.completed']

function webhookOf({ webhook, urls, kind }: Fields): Webhook | null {
  if (!webhook) return null
  return { url: webhook.url, events: webhook.events ?? (isGiven(urls) || kind === 'playlist' ? OF_MANY : OF_ONE) }
}
