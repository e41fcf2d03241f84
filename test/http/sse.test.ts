import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { SseStream } from '../../src/http/sse.ts'
import { SseClient } from '../support/sse.ts'
import { waitFor } from '../support/wait-for.ts'

const EVENT = `data: ${JSON.stringify({ text: 'x'.repeat(20_000) })}\n\n`

async function open(): Promise<
  AsyncDisposable & Readonly<{ client: SseClient; stream: SseStream; closed: () => number }>
> {
  const streams: SseStream[] = []
  let closed = 0
  const app = express().get('/', (_req, res) => void streams.push(new SseStream(res, () => closed++)))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = await SseClient.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, null)
  const [stream] = streams
  if (!stream) throw new Error('there is no stream')
  return {
    client,
    stream,
    closed: () => closed,
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Sends to a reader that takes nothing until no more is kept for it; returns how much that is. */
async function fill(stream: SseStream): Promise<number> {
  let sent = 0
  for (let turn = 0; turn < 2_000; turn++) {
    if (!stream.send(EVENT)) return sent
    sent += EVENT.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never had enough')
}

it('a reader that takes nothing is not written to without end, and gets what was sent once it reads', async () => {
  await using it = await open()
  it.client.pause()
  const sent = await fill(it.stream)
  it.stream.sendIfIdle('data: {"left":"out"}\n\n')
  expect(it.stream.send(EVENT)).toBe(false)
  it.client.resume()
  await it.stream.drained()
  expect(it.stream.send('data: {"last":true}\n\n')).toBe(true)
  await it.client.until('the last', ({ events }) => events.at(-1)?.data['last'] === true)
  expect(it.client.events).toHaveLength(sent / EVENT.length + 1)
})

it('a reader that goes on taking nothing is given up, and whoever waits for it goes on', async () => {
  await using it = await open()
  it.client.pause()
  await fill(it.stream)
  const drained = it.stream.drained()
  for (let beat = 0; beat < 3; beat++) it.stream.beat()
  expect(it.stream.isOpen).toBe(true)
  it.stream.beat()
  await drained
  expect(it.stream.isOpen).toBe(false)
  await waitFor('the end', () => it.closed() === 1)
  expect(it.stream.send(EVENT)).toBe(false)
})

it('a reader that keeps up is sent a comment at every beat', async () => {
  await using it = await open()
  for (let beat = 0; beat < 6; beat++) {
    it.stream.beat()
    await it.client.until('the comment', ({ raw }) => raw.split(':\n\n').length === beat + 2)
  }
  it.stream.end()
  await it.client.until('the end', ({ isOver }) => isOver)
  expect([it.client.isWhole, it.closed(), it.client.raw.startsWith('retry: 3000\n\n')]).toEqual([true, 1, true])
})
