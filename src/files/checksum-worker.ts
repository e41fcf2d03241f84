import { createHash } from 'node:crypto'
import { constants, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

const PIECE_BYTES = 2 ** 20

const { file } = workerData as { file: string }
const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW) // closed with the thread
const hash = createHash('sha256')
const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
for (let read = readSync(handle, piece); read > 0; read = readSync(handle, piece)) hash.update(piece.subarray(0, read))
parentPort?.postMessage(hash.digest('hex'))
