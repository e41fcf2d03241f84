import { describeApi } from '../../src/http/description.ts'
import { ADMIN_KEY } from '../support/daemon.ts'
import { MEZDIA_ROWS } from './mezdia-rows.ts'
import { checkAnswer } from '../support/openapi.ts'
import { useRig } from '../support/rig.ts'
import { waitFor } from '../support/wait-for.ts'

/** What there is in the daemon when an endpoint is called. */
type Ground = Readonly<{
  /** Of the media that the daemon can fetch. */
  url: string
  /** A completed task and its file. */
  done: string
  file: string
  /** A completed batch. */
  batch: string
  /** A completed job of Mezdia, and its file. */
  job: string
  jobFile: string
  /** A task that waits for weeks, made anew for each call. */
  waiting: string
  /** A task that was cancelled, made anew for each call. */
  cancelled: string
  delivery: string
  /** A key to do things to, made anew for each call. */
  keyId: string
  keyName: string
}>

/** A call that works. */
type Row = Readonly<{
  /** Values of the path's names. */
  path?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string>>
  body?: unknown
  headers?: Readonly<Record<string, string>>
  /** Other than the first that the description names. */
  status?: number
  /** What a key without permissions and without tasks is told; 200 where it may see what is its own: nothing. */
  stranger?: number
}>

const LATER = new Date(Date.now() + 30 * 86_400_000).toISOString()
const own = { stranger: 200 }
const shut = { 'X-Forwarded-For': '203.0.113.7' }

/** What lies outside of this machine is not asked for here: what these answer then is what they answer without a network. */
const picoshot = { body: { url: 'https://nowhere.invalid', platform: 'youtube' }, headers: shut, status: 422 }
const easydown = { body: { url: 'https://nowhere.invalid' }, status: 400 }
const passedOn = { query: { platform: 'youtube', url: 'https://nowhere.invalid' }, headers: shut, status: 400 }

/** One row for each endpoint. A new endpoint has no row, and the test that says so fails. */
const ROWS: Readonly<Record<string, (ground: Ground) => Row>> = {
  'POST /v1/tasks': ({ url }) => ({ body: { url, not_before: LATER }, stranger: 403 }),
  'GET /v1/tasks': () => own,
  'GET /v1/tasks/{id}': ({ done }) => ({ path: { id: done } }),
  'DELETE /v1/tasks/{id}': ({ cancelled }) => ({ path: { id: cancelled } }),
  'POST /v1/tasks/{id}/cancel': ({ waiting }) => ({ path: { id: waiting } }),
  'POST /v1/tasks/{id}/retry': ({ cancelled }) => ({ path: { id: cancelled } }),
  'POST /v1/tasks/{id}/priority': ({ waiting }) => ({ path: { id: waiting }, body: { priority: 5 } }),
  'POST /v1/tasks/cancel': ({ waiting }) => ({ body: { ids: [waiting] }, ...own }),
  'POST /v1/tasks/retry': ({ cancelled }) => ({ body: { ids: [cancelled] }, ...own }),
  'POST /v1/tasks/delete': ({ cancelled }) => ({ body: { ids: [cancelled] }, ...own }),
  'POST /v1/tasks/priority': ({ waiting }) => ({ body: { ids: [waiting], priority: 1 }, ...own }),
  'GET /v1/batches/{id}': ({ batch }) => ({ path: { id: batch } }),
  'GET /v1/queue': () => own,
  'POST /v1/queue/pause': () => ({}),
  'POST /v1/queue/resume': () => ({}),
  'GET /v1/info': ({ url }) => ({ query: { url } }),
  'GET /v1/archive': () => ({}),
  'POST /v1/archive': () => ({ body: { lines: ['youtube BaW_jenozKc'] } }),
  'DELETE /v1/archive/{media_id}': () => ({ path: { media_id: 'youtube BaW_jenozKc' } }),
  'DELETE /v1/archive': () => ({}),
  'GET /v1/tasks/{id}/files': ({ done }) => ({ path: { id: done }, query: { checksum: 'true' } }),
  'GET /v1/tasks/{id}/files/{name}': ({ done, file }) => ({ path: { id: done, name: file } }),
  'POST /v1/tasks/{id}/links': ({ done }) => ({ path: { id: done }, body: {} }),
  'GET /v1/tasks/{id}/thumbnail': ({ done }) => ({ path: { id: done } }),
  'GET /v1/tasks/{id}/stream': ({ done }) => ({ path: { id: done } }),
  'GET /v1/tasks/{id}/zip': ({ done }) => ({ path: { id: done } }),
  'GET /v1/batches/{id}/zip': ({ batch }) => ({ path: { id: batch } }),
  'POST /v1/batches/{id}/links': ({ batch }) => ({ path: { id: batch }, body: {} }),
  'GET /v1/feed.xml': () => own,
  'GET /v1/batches/{id}/feed.xml': ({ batch }) => ({ path: { id: batch } }),
  'POST /v1/feeds': () => ({ body: {}, stranger: 201 }),
  'GET /v1/events': () => own,
  'GET /v1/tasks/{id}/events': ({ waiting }) => ({ path: { id: waiting } }),
  'GET /v1/webhooks/secret': () => own,
  'POST /v1/webhooks/secret/rotate': () => own,
  'POST /v1/webhooks/test': ({ url }) => ({ body: { url }, ...own }),
  'GET /v1/webhooks/deliveries': () => own,
  'GET /v1/webhooks/deliveries/{id}': ({ delivery }) => ({ path: { id: delivery } }),
  'POST /v1/webhooks/deliveries/{id}/redeliver': ({ delivery }) => ({ path: { id: delivery } }),
  'GET /v1/me': () => own,
  'POST /v1/keys': () => ({ body: { name: 'fresh', permissions: ['get_video'] } }),
  'GET /v1/keys': () => ({}),
  'GET /v1/keys/{id}': ({ keyId }) => ({ path: { id: keyId } }),
  'PATCH /v1/keys/{id}': ({ keyId }) => ({ path: { id: keyId }, body: { permissions: ['get_info'] } }),
  'DELETE /v1/keys/{id}': ({ keyId }) => ({ path: { id: keyId } }),
  'POST /v1/keys/{id}/rotate': ({ keyId }) => ({ path: { id: keyId }, body: {} }),
  'POST /v1/keys/{id}/disable': ({ keyId }) => ({ path: { id: keyId } }),
  'POST /v1/keys/{id}/enable': ({ keyId }) => ({ path: { id: keyId } }),
  'GET /v1/keys/{id}/usage': ({ keyId }) => ({ path: { id: keyId }, stranger: 403 }),
  'GET /v1/audit': () => ({}),
  'PUT /v1/cookies/{site}': () => ({
    path: { site: 'site.example' },
    body: { netscape: '# Netscape HTTP Cookie File\n.site.example\tTRUE\t/\tTRUE\t2051222400\tsid\tabc\n' },
  }),
  'GET /v1/cookies': () => ({}),
  'DELETE /v1/cookies/{site}': () => ({ path: { site: 'site.example' } }),
  'GET /v1/sites': () => own,
  'POST /get_video': ({ url }) => ({ body: { url } }),
  'POST /get_audio': ({ url }) => ({ body: { url } }),
  'POST /get_live_video': ({ url }) => ({ body: { url, duration: 5 } }),
  'POST /get_live_audio': ({ url }) => ({ body: { url, duration: 5 } }),
  'POST /get_info': ({ url }) => ({ body: { url } }),
  'GET /status/{id}': ({ done }) => ({ path: { id: done } }),
  'GET /files/{id}/{name}': ({ done, file }) => ({ path: { id: done, name: file } }),
  'POST /create_key': () => ({ body: { name: 'core', permissions: [] } }),
  'POST /check_permissions': () => ({ body: { permissions: [] }, ...own }),
  'GET /get_keys': () => ({}),
  'GET /get_key/{name}': ({ keyName }) => ({ path: { name: keyName } }),
  'DELETE /delete_key/{name}': ({ keyName }) => ({ path: { name: keyName } }),
  'POST /api/downloader': () => picoshot,
  'POST /compat/picoshot/api/downloader': () => picoshot,
  'POST /api/v1/parse': () => easydown,
  'POST /compat/easydown/api/v1/parse': () => easydown,
  'GET /api/v1/capabilities': () => own,
  'GET /compat/easydown/api/v1/capabilities': () => own,
  'GET /api/media-proxy': () => passedOn,
  'GET /compat/picoshot/api/media-proxy': () => passedOn,
  'GET /compat/easydown/api/media-proxy': () => passedOn,
  'GET /health': () => own,
  'GET /ready': () => own,
  'GET /metrics': () => ({ headers: shut }),
  'GET /openapi.json': () => own,
  'GET /docs': () => own,
  'GET /docs/{file}': () => ({ path: { file: 'start.js' }, ...own }),
  ...MEZDIA_ROWS,
}

type Operation = Readonly<{
  security: readonly object[]
  responses: Readonly<Record<string, unknown>>
  description?: string
}>

const document = describeApi() as unknown as { paths?: Record<string, Record<string, unknown>> }
const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method: method.toUpperCase(),
    path,
    operation: operation as Operation,
  })),
)

test('there is a row for every endpoint that is described, and for no other', () => {
  expect(Object.keys(ROWS).toSorted()).toEqual(operations.map(({ name }) => name).toSorted())
})

describe('every endpoint', () => {
  const rig = useRig({ MEZDIA_LIMIT: '0' })
  let shared: Pick<Ground, 'url' | 'done' | 'file' | 'batch' | 'job' | 'jobFile' | 'delivery'>
  let stranger = ''
  let serial = 0

  const body = async (method: string, path: string, sent?: unknown): Promise<Readonly<Record<string, unknown>>> => {
    const answer = await rig.client().request(method, path, {
      ...(sent === undefined ? {} : { body: JSON.stringify(sent), headers: { 'Content-Type': 'application/json' } }),
    })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const tasksOf = (answer: Readonly<Record<string, unknown>>) => answer['tasks'] as readonly { id: string }[]

  beforeAll(async () => {
    const url = `${rig.origin().url}/small.mp4`
    const webhook = { url: `${rig.origin().url}/small.mp4?hook` }
    const made = await body('POST', '/v1/tasks', { urls: [url], webhook })
    const done = tasksOf(made)[0]?.id ?? ''
    const { file } = await rig.client().finish(done)
    const delivery = await waitFor('a delivery', async () => {
      const { items } = (await body('GET', '/v1/webhooks/deliveries')) as { items: { id: string }[] }
      return items[0]?.id
    })
    const batch = String((made['batch'] as { id?: unknown } | null)?.id ?? made['batch_id'])
    const { job_id: job } = await body('POST', '/compat/mezdia/download/single', { url })
    const [jobFile = ''] = await waitFor('the job to end', async () => {
      const { files } = (await body('GET', `/compat/mezdia/status/${String(job)}`)) as { files: { filename: string }[] }
      return files.length === 0 ? null : files.map(({ filename }) => filename)
    })
    shared = { url, job: String(job), jobFile, done, file: String(file).split('/').at(-1) ?? '', batch, delivery }
    stranger = String((await body('POST', '/create_key', { name: 'stranger', permissions: [] }))['key'])
  })

  /** Things that calls use up are made for each of them. */
  async function groundFor(name: string): Promise<Ground> {
    const waits = async () =>
      tasksOf(await body('POST', '/v1/tasks', { url: shared.url, not_before: LATER }))[0]?.id ?? ''
    const text = String(ROWS[name])
    const waiting = text.includes('waiting') ? await waits() : ''
    const cancelled = text.includes('cancelled') ? await waits() : ''
    if (cancelled !== '') await body('POST', `/v1/tasks/${cancelled}/cancel`)
    if (text.includes('media_id')) await body('POST', '/v1/archive', { lines: ['youtube BaW_jenozKc'] })
    const keyName = `spare${++serial}`
    const key = /keyId|keyName/.test(text) ? await body('POST', '/v1/keys', { name: keyName, permissions: [] }) : {}
    return { ...shared, waiting, cancelled, keyId: String(key['id'] ?? (key['key'] as { id?: unknown })?.id), keyName }
  }

  /** The answer's status; the answer itself has to be as described. Of a stream the beginning is enough. */
  async function call(
    { method, path }: { method: string; path: string },
    row: Row,
    key: string | null,
  ): Promise<number> {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(row.path?.[name] ?? name))
    const query = row.query === undefined ? '' : `?${new URLSearchParams(row.query).toString()}`
    const abort = new AbortController()
    const response = await fetch(rig.daemon().url + filled + query, {
      method,
      redirect: 'manual',
      signal: abort.signal,
      headers: {
        ...(key === null ? {} : { 'X-API-Key': key, Authorization: `Bearer ${key}` }),
        ...(row.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...row.headers,
      },
      ...(row.body === undefined ? {} : { body: JSON.stringify(row.body) }),
    })
    const contentType = response.headers.get('content-type')
    const isStream = contentType?.startsWith('text/event-stream') ?? false
    const text = isStream ? null : await response.text()
    if (isStream) abort.abort()
    checkAnswer({ method, path: filled, status: response.status, contentType, text })
    return response.status
  }

  test.each(operations)('$name answers as described, and to nobody else', async ({ name, method, path, operation }) => {
    const row = ROWS[name]?.(await groundFor(name)) ?? {}
    const isOpen = operation.security.length === 0
    if (!isOpen) expect(await call({ method, path }, row, null)).toBe(401)
    const needsPermission = operation.description?.includes('Needs the permission') ?? false
    const forStranger = await call({ method, path }, row, stranger)
    const success = row.status ?? Number(Object.keys(operation.responses).find((status) => /^[23]/.test(status)))
    if (!isOpen) expect(forStranger).toBe(row.stranger ?? (needsPermission ? 403 : 404))
    const answered = await call({ method, path }, row, ADMIN_KEY)
    expect(answered).toBe(name === 'GET /docs' ? 308 : success)
  })
})
