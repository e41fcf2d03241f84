import { progressEventSchema, taskEventSchema } from '../../src/http/v1/event-frame.ts'
import { webhookMessageSchema } from '../../src/http/v1/webhook-view.ts'
import { ADMIN_KEY } from '../support/daemon.ts'
import { Receiver, verified } from '../support/receiver.ts'
import { useRig } from '../support/rig.ts'
import { SseClient } from '../support/sse.ts'
import { waitFor } from '../support/wait-for.ts'

const rig = useRig()

async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(rig.daemon().url + path, {
    method,
    headers: { 'X-API-Key': ADMIN_KEY, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

const submit = async (body: unknown) => String((await ask('POST', '/v1/tasks', body))['id'])
const secret = async () => String((await ask('GET', '/v1/webhooks/secret'))['secret'])
const stateOf = async (id: string) => (await ask('GET', `/v1/tasks/${id}`))['state']
const follow = (path: string, lastId?: string) =>
  SseClient.open(rig.daemon().url + path, ADMIN_KEY, lastId === undefined ? {} : { 'Last-Event-ID': lastId })

it('a webhook is told of the finished file, signed so that the library of the scheme verifies it', async () => {
  await using receiver = await Receiver.start()
  const url = `${rig.origin().url}/small.mp4`
  const id = await submit({ url, kind: 'video', webhook: { url: receiver.url, events: ['task.completed'] } })
  const got = await receiver.until(1)
  const { data } = webhookMessageSchema.parse(verified(await secret(), got))
  expect(data.task).toMatchObject({ id, state: 'completed' })
  const file = await fetch(`${rig.daemon().url}${data.task?.file?.url}`, { headers: { 'X-API-Key': ADMIN_KEY } })
  expect((await file.arrayBuffer()).byteLength).toBe(data.task?.file?.size)
}, 60_000)

it('what a receiver missed while it was down is told after a crash of the daemon, under the same id', async () => {
  const receiver = await Receiver.start()
  const { port, url: hook } = receiver
  await receiver.close()
  const url = `${rig.origin().url}/other.mp4`
  const id = await submit({ url, kind: 'video', webhook: { url: hook, events: ['task.completed'] } })
  const delivery = await waitFor('a failed attempt', async () => {
    const { items } = await ask('GET', `/v1/webhooks/deliveries?task=${id}`)
    return (items as Record<string, unknown>[]).find(({ attempts }) => attempts === 1)
  })
  expect(delivery).toMatchObject({ state: 'waiting', last_status: null })
  await rig.daemon().end('SIGKILL')
  await receiver.listen(port)
  await rig.daemon().start()
  const got = await receiver.until(1, 30_000)
  expect(got.id).toBe(delivery['id'])
  expect(verified(await secret(), got)).toMatchObject({ type: 'task.completed', data: { task: { id } } })
  await waitFor(
    'it to be noted',
    async () => (await ask('GET', `/v1/webhooks/deliveries/${got.id}`))['state'] === 'delivered',
  )
  expect(receiver.received).toHaveLength(1)
  await receiver.close()
}, 60_000)

it('a stream tells progress and every change; after a crash of the daemon it goes on where it was', async () => {
  const url = `${rig.origin().url}/big/4.mp4?bps=700000`
  const id = await submit({ url, kind: 'video' })
  const first = await follow(`/v1/tasks/${id}/events`)
  await first.until('progress with bytes', ({ events }) =>
    events.some(({ type, data }) => type === 'progress' && (progressEventSchema.parse(data).downloaded_bytes ?? 0) > 0),
  )
  await rig.daemon().end('SIGKILL')
  await first.until('the end of the stream', ({ isOver }) => isOver)
  await rig.daemon().start()
  using second = await follow(`/v1/tasks/${id}/events`, first.lastId)
  await second.until('the end of the stream', ({ isOver }) => isOver, 30_000)
  const changes = second.changes.map((change) => change.split(' ')[1])
  const missed = first.changes.at(-1) === `${id} processing` ? [] : ['processing']
  expect(changes).toEqual([...missed, 'waiting', 'processing', 'completed'])
  const ids = [...first.events, ...second.events].flatMap((event) => (event.type === 'task' ? [Number(event.id)] : []))
  expect(ids.slice(1)).toEqual([...new Set(ids.slice(1))].toSorted((a, b) => a - b))
  expect(taskEventSchema.parse(second.events.at(-1)?.data).task?.file?.name).toBeDefined()
  expect(await stateOf(id)).toBe('completed')
}, 90_000)

it('streams do not hold up a daemon that stops', async () => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => follow('/v1/events')))
  await rig.daemon().end('SIGTERM')
  for (const client of clients) await client.until('the end of the stream', ({ isOver }) => isOver)
  expect(clients.every(({ isWhole }) => isWhole)).toBe(true)
  await rig.daemon().start()
}, 30_000)
