import { z } from 'zod'
import { addressOf, Api, API_HELP, API_OPTIONS } from './api.ts'
import { parse, plain, type Command, type Terminal } from './command.ts'
import { download, targetOf, type Target } from './download.ts'
import { CliError, wrongUsage } from './failure.ts'
import { bytesOf, ProgressLine } from './progress.ts'

/** How long the daemon holds back an answer that has nothing new, in seconds. */
const WAIT_S = 25
/** Between two looks, so that a daemon that answers at once is not asked without end. */
const LOOK_MS = 250

/** What this command reads of a task; there is more. */
const taskSchema = z.object({
  id: z.string(),
  state: z.enum(['waiting', 'processing', 'completed', 'error', 'cancelled']),
  title: z.string().nullable(),
  queue_position: z.number().nullable(),
  wait_reason: z.string().nullable(),
  progress: z
    .object({
      phase: z.string(),
      percent: z.number().nullable(),
      speed: z.number().nullable(),
      eta: z.number().nullable(),
    })
    .nullable(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
  files: z.array(z.object({ name: z.string(), size: z.number(), url: z.string() })),
})
type TaskBody = z.output<typeof taskSchema>

const OPTIONS = {
  ...API_OPTIONS,
  audio: { type: 'boolean' },
  quality: { type: 'string' },
  container: { type: 'string' },
  codec: { type: 'string' },
  output: { type: 'string', short: 'o' },
} as const

/** `ytdlpd get URL`: has the daemon fetch it, and saves what comes of it here. */
export const getCommand: Command = {
  usage: 'get URL [--audio] [--quality Q] [--output FILE|DIR]',
  summary: 'fetch a medium through the daemon and save it here; of a playlist its first entry',
  help: [
    '--audio        only the sound',
    '--quality Q    best, 2160p, 1440p, 1080p, 720p, 480p or worst',
    '--container C  of a video, such as mp4, mkv or webm',
    '--codec C      of a sound, such as mp3, opus or flac; with --audio',
    '-o, --output   a file, or a folder; otherwise the offered name in this folder',
    ...API_HELP,
  ],
  async run(args, terminal) {
    const { values, positionals } = parse(args, OPTIONS)
    const [url, ...more] = positionals
    if (url === undefined) throw wrongUsage('say which URL')
    if (more.length > 0) throw wrongUsage(`one URL at a time; ${JSON.stringify(more[0])} is one too many`)
    const key = values.key ?? terminal.env['YTDLPD_API_KEY']
    if (!key) throw wrongUsage('give the API key: --key or YTDLPD_API_KEY')
    const target = targetOf(values.output)
    const api = new Api(addressOf(values.url, terminal), key, terminal.signal)
    const body = {
      url,
      kind: values.audio === true ? 'audio' : 'video',
      ...(values.quality === undefined ? {} : { quality: values.quality }),
      ...(values.container === undefined ? {} : { container: values.container }),
      ...(values.codec === undefined ? {} : { audio_codec: values.codec }),
    }
    const { id } = await api.call(z.object({ id: z.string() }), 'POST', '/v1/tasks', body)
    const task = await followOrCancel(api, id, terminal)
    if (task.state !== 'completed') throw failureOf(task)
    await save(api, task, target, terminal)
    return 0
  },
}

/** The task when it has ended. Takes it back when the person at the terminal gives up. */
async function followOrCancel(api: Api, id: string, terminal: Terminal): Promise<TaskBody> {
  const line = new ProgressLine(terminal)
  try {
    return await follow(api, id, line)
  } catch (error) {
    if (terminal.signal.aborted) await cancel(api, id)
    throw error
  } finally {
    line.end()
  }
}

async function follow(api: Api, id: string, line: ProgressLine): Promise<TaskBody> {
  const path = `/v1/tasks/${encodeURIComponent(id)}`
  let seen = await api.patiently(taskSchema, path)
  while (seen.value.state === 'waiting' || seen.value.state === 'processing') {
    line.show(stepOf(seen.value))
    await api.rest(LOOK_MS)
    // Answered when there is something new: an answer without anything new keeps what was known.
    seen = (await api.patiently(taskSchema, `${path}?wait=${WAIT_S}`, seen.tag)) ?? seen
  }
  return seen.value
}

function stepOf({ state, queue_position: place, wait_reason: reason, progress }: TaskBody) {
  if (state === 'waiting') {
    const why = reason === null ? '' : ` (${reason})`
    return { what: `waiting${place === null ? '' : `, place ${place}`}${why}`, percent: null }
  }
  return progress === null
    ? { what: 'starting', percent: null }
    : { what: progress.phase, percent: progress.percent, speed: progress.speed, eta: progress.eta }
}

async function save(api: Api, { files }: TaskBody, target: Target, terminal: Terminal): Promise<void> {
  // A file's name is for the first: what stands beside it has its own.
  const wanted = target.name === null ? files : files.slice(0, 1)
  for (const file of wanted) {
    const line = new ProgressLine(terminal)
    const saved = await download(api, file, target, (bytes) =>
      line.show({ what: `saving ${bytesOf(file.size)}`, percent: file.size === 0 ? 100 : (100 * bytes) / file.size }),
    ).finally(() => line.end())
    terminal.out(`${saved}\n`)
  }
}

function failureOf({ state, error }: TaskBody): CliError {
  if (error === null) return new CliError(`The task is ${state}`)
  return new CliError(plain(`${error.code}: ${error.message}`) + (error.hint === '' ? '' : `\n${plain(error.hint)}`))
}

async function cancel(api: Api, id: string): Promise<void> {
  await api.afterAll('POST', `/v1/tasks/${encodeURIComponent(id)}/cancel`)
}
