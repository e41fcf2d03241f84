import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Refusal } from '../../domain/errors.ts'
import type { Order, Repeatable } from '../../tasks/submit.ts'
import { defineRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { taskBody } from './task-body.ts'

/** Printable, as header values are. */
const TOKEN = /^[\u0021-\u007e]{1,255}$/

const acceptedSchema = z
  .strictObject({
    id: z.string().nullable().meta({ description: 'The task; null when `urls` were given' }),
    batch_id: z.string().nullable().meta({ description: 'The batch, where there is one; a playlist is its own' }),
    tasks: z.array(
      z.strictObject({
        id: z.string(),
        url: z.string(),
        position: z.number().int().nullable().meta({ description: 'Place in the batch, from 1' }),
      }),
    ),
  })
  .meta({ id: 'AcceptedTasks' })

const url = 'https://www.youtube.com/watch?v=BaW_jenozKc'

/** Whole bodies that work. */
const EXAMPLES = {
  'A video, at most 1080p, as MP4': { url, quality: '1080p', container: 'mp4' },
  'The sound as MP3 with cover and title': {
    url,
    kind: 'audio',
    audio_codec: 'mp3',
    audio_bitrate: 192,
    embed: ['thumbnail', 'metadata'],
  },
  'Two clips, cut exactly': {
    url,
    clips: [
      { start: 5, end: '0:15' },
      { start: '1:00', end: '1:30' },
    ],
    exact_cuts: true,
  },
  'Without sponsors, with subtitles': {
    url,
    sponsorblock: { action: 'remove', categories: ['sponsor', 'selfpromo'] },
    embed: ['subtitles'],
    subtitles: { languages: ['en', 'de'], automatic: true },
  },
  'Several at night, and a message when all are done': {
    urls: [url, { url: 'https://vimeo.com/76979871', filename: 'vimeo' }],
    quality: '720p',
    priority: -10,
    not_before: '2026-12-01T02:00:00+01:00',
    webhook: { url: 'https://bot.example/done' },
  },
  'A recording of ten minutes': { url, kind: 'live_video', live: { duration: 600 } },
  "A playlist's newest as MP3": {
    url: 'https://www.youtube.com/playlist?list=PLwiyx1dc3P2JR9N8gQaQN_BCvlSlap7re',
    kind: 'playlist',
    audio_codec: 'mp3',
    playlist: { kind: 'audio', items: ['1-20'], max_duration: 3600, skip_downloaded: true },
    webhook: { url: 'https://bot.example/done' },
  },
}

/** `POST /v1/tasks`: queues one task or a batch. */
export const submitTasks = defineRoute<V1Context, Order>({
  method: 'post',
  path: '/tasks',
  permission: null,
  counts: true,
  body: taskBody,
  status: 201,
  doc: {
    summary: 'Submit a task, a batch or a playlist',
    description:
      'Each kind asks for its permission: `get_<kind>`; a playlist also for that of its entries. All addresses are ' +
      'checked before one is accepted, and all are accepted or none. With an `Idempotency-Key` the call can be ' +
      'repeated within 24 hours: what was accepted then is answered again, with `Idempotency-Replayed: true`.',
    tag: 'Tasks',
    answers: { 201: acceptedSchema },
    headers: { 'Idempotency-Key': 'A text of your own, 1 to 255 printable characters; the same for each repetition' },
    examples: EXAMPLES,
  },
  async handle({ tasks, sites }, { input, key, req, res }) {
    sites.checkPresets(input.requests)
    const repeatable = repeatableOf(req.get('idempotency-key'), req.body)
    const accepted = await tasks.accept(key, input, repeatable)
    if (accepted.isReplayed) res.setHeader('Idempotency-Replayed', 'true')
    const id = input.isBatch ? null : (accepted.tasks[0]?.id ?? null)
    res.setHeader('Location', id === null ? `/v1/batches/${accepted.batchId ?? ''}` : `/v1/tasks/${id}`)
    return { id, batch_id: accepted.batchId, tasks: accepted.tasks }
  },
})

function repeatableOf(token: string | undefined, body: unknown): Repeatable | null {
  if (token === undefined) return null
  if (!TOKEN.test(token)) {
    const message = 'Idempotency-Key must have 1 to 255 printable characters, without spaces'
    throw new Refusal('invalid_request', message, { details: [{ field: 'Idempotency-Key', message }] })
  }
  return { token, requestHash: createHash('sha256').update(canonical(body)).digest('base64url') }
}

/** JSON with the fields of each object in one order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
