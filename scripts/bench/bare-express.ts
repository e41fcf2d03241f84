/** `node bare-express.ts < BODY.json`: answers `GET /status/:id` and `POST /api/v1/parse` with that JSON, and prints its address. */
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import express from 'express'

const body = await json(process.stdin)
const app = express()
app.get('/status/:id', (_req, res) => {
  res.json(body)
})
app.post('/api/v1/parse', express.json(), (_req, res) => {
  res.json(body)
})
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
