import { constants, open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'

/** Few calls for many bytes, and yet both buffers stay in the processor's cache: larger ones are slower. */
const BUFFER_BYTES = 256 * 1024

/** Once that much is lent to answers under way, further ones get small buffers: slow clients must not cost the memory. */
const GENEROUS_BYTES = 64 * 2 ** 20
const SMALL_BUFFER_BYTES = 16 * 1024

let lentBytes = 0

/** Which bytes of a file. `onPiece` sees them in order, before they are sent. */
export type FilePart = Readonly<{ start: number; length: number; onPiece?: (piece: Buffer) => void }>

/**
 * Sends a part of a file as the body of an answer, and ends it. Resolves when all is handed over or the client has left.
 * Rejects when the file cannot be read; an answer that had begun is cut off then.
 */
export async function pumpFile(file: string, part: FilePart, res: ServerResponse): Promise<void> {
  if (await pumpPart(file, part, res)) res.end()
}

/**
 * Sends a part of a file as a piece of an answer's body. Reads ahead into two buffers that it uses again and again: three
 * times as fast as a stream, which takes fresh memory for each piece.
 * True when the kernel has all of it, false when the client has left. Rejects as `pumpFile` does.
 */
export async function pumpPart(
  file: string,
  { start, length, onPiece }: FilePart,
  res: ServerResponse,
): Promise<boolean> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  const size = Math.min(lentBytes < GENEROUS_BYTES ? BUFFER_BYTES : SMALL_BUFFER_BYTES, length)
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const
  const end = start + length
  lentBytes += 2 * size
  const read = async (turn: number, position: number): Promise<Buffer> => {
    const buffer = buffers[turn % 2 === 0 ? 0 : 1]
    const { bytesRead } = await handle.read(buffer, 0, Math.min(size, end - position), position)
    return buffer.subarray(0, bytesRead)
  }
  let position = start
  let isTaken: Promise<boolean> = Promise.resolve(true)
  let next = length > 0 ? read(0, start) : null
  try {
    for (let turn = 1; next !== null; turn++) {
      const piece: Buffer = await next
      if (piece.length === 0) throw new Error('the file ends too soon')
      position += piece.length
      onPiece?.(piece)
      // The other buffer is free for the next piece as soon as the kernel has taken the one before this.
      if (!(await isTaken)) return false
      next = position < end ? read(turn, position) : null
      isTaken = write(res, piece)
    }
    return await isTaken
  } catch (error) {
    if (res.headersSent) res.destroy()
    throw error
  } finally {
    await next?.catch(() => null) // nothing may still be read into a file that is closed
    lentBytes -= 2 * size
  }
}

/** True when the kernel has the bytes, false when the client has left. */
export async function write(res: ServerResponse, piece: Buffer): Promise<boolean> {
  if (res.destroyed) return false
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const onClose = () => resolve(false)
  res.once('close', onClose)
  res.write(piece, (error) => resolve(!error))
  try {
    return await promise
  } finally {
    res.off('close', onClose)
  }
}
