import { z } from 'zod'
import { Refusal, TaskError } from '../../domain/errors.ts'
import type { ApiKey } from '../../domain/key.ts'
import { isFinal, REQUEST_DEFAULTS, type Task, type TaskRequest } from '../../domain/task.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { flagField, linkTo, patienceOf, requireUrl, textField } from './fields.ts'
import { fileNameOf, filesOf } from './job-files.ts'
import { idOfJob } from './job-id.ts'
import { startJob } from './jobs.ts'

/** How long a call waits for its file. */
const WAIT_MS = 110_000

const body = z.object({
  url: textField.meta({ description: 'Address of the video' }),
  lang: textField.default('en').meta({ description: 'Language of the subtitles' }),
  auto: flagField
    .default(false)
    .meta({ description: 'Take those that the site makes by machine where there are no others' }),
})

const text = z.string().nullable()

const postSubtitles = defineRoute<MezdiaContext, z.output<typeof body>>({
  method: 'post',
  path: '/subtitles',
  permission: 'get_subtitles',
  body,
  doc: {
    summary: 'Download the subtitles of a video',
    description: 'Answers when the file is there.',
    tag: 'Mezdia: YouTube',
    answers: {
      200: z
        .strictObject({
          video_id: text,
          title: text,
          language: z.string(),
          filename: z.string(),
          download_url: z.string(),
        })
        .meta({ id: 'MezdiaSubtitleFile' }),
    },
  },
  async handle(ctx, { key, input: { url: said, lang, auto }, req, res }) {
    const url = requireUrl(said)
    const signal = patienceOf(res)
    const found = await ctx.details.look(key, url, signal)
    const has = (captions: object) => Object.hasOwn(captions, lang)
    if (!has(found.subtitles) && !(auto && has(found.automatic_captions))) throw noneIn(lang)
    const subtitles = { languages: [lang], automatic: auto, format: null }
    const task = await finished(ctx, key, { ...REQUEST_DEFAULTS, kind: 'subtitles', url, subtitles }, signal)
    const [file] = filesOf(task)
    if (task.state !== 'completed' || !file) throw faultOf(task, lang)
    const filename = fileNameOf(task, file)
    return {
      video_id: found.id,
      title: found.title,
      language: lang,
      filename,
      download_url: linkTo(req, `/download/file/${filename}`),
    }
  },
})

const noneIn = (lang: string) => new Refusal('not_found', `No subtitles found for language '${lang}'`)

function faultOf({ errorCode, errorMessage }: Task, lang: string): Refusal {
  if (errorCode === 'no_media') return noneIn(lang)
  const cause = new TaskError(errorCode ?? 'unknown', errorMessage ?? 'cancelled')
  return new Refusal('extraction_failed', cause.message, { cause })
}

/** The task for a request, when it has ended. One that nobody waits for any more is ended. */
async function finished(ctx: MezdiaContext, key: ApiKey, request: TaskRequest, signal: AbortSignal): Promise<Task> {
  const taskId = idOfJob(await startJob(ctx, key, [request], { mezdia: 'subtitles' })) ?? ''
  const ended = await ctx.waits.until({ keyId: key.id, taskId, ms: WAIT_MS, signal }, async () => {
    const { task } = await ctx.tasks.view(key, taskId)
    return isFinal(task.state) ? task : null
  })
  if (ended !== null) return ended
  await ctx.tasks.cancel(key, taskId).catch(() => null) // it has ended meanwhile
  const cause = new TaskError('timeout', 'it takes too long')
  throw new Refusal('extraction_failed', cause.message, { cause })
}

/** Subtitles as a file, in one call. */
export const subtitleRoutes: readonly AnyRoute<MezdiaContext>[] = [postSubtitles]
