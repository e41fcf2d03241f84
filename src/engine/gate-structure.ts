import type { FileHandle } from 'node:fs/promises'

import type { MediaKind } from './gate-sniff.ts'

/**
 * Whether the file ends where its own structure says it does: what is missing in bytes, or null when nothing is known
 * to be. Costs a few reads, whatever the size. Formats without such a structure (mp3, aac, flac, flv, …) are never missing
 * anything here, nor is a stream cut exactly between two boxes, pages or packets.
 */
export async function missingBytes(file: FileHandle, kind: MediaKind, size: number): Promise<number | null> {
  return (await CHECKS[kind]?.(reader(file), size)) ?? null
}

const CHECKS: Readonly<Partial<Record<MediaKind, (read: Read, size: number) => Promise<number | null>>>> = {
  mp4: missingInBoxes,
  matroska: missingInSegment,
  wav: missingInRiff,
  avi: missingInRiff,
  ogg: missingInLastPage,
}

type Read = (position: number, length: number) => Promise<Buffer>

function reader(file: FileHandle): Read {
  return async (position, length) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, Math.max(0, position))
    return buffer.subarray(0, bytesRead)
  }
}

/** A file of this many boxes (a fragment every second for five days) is no longer walked to its end. */
const MAX_BOXES = 1_000_000

/** ISO 14496-12 4.2: size, type, and a 64-bit size where the first is 1; 0 means up to the end of the file. */
async function missingInBoxes(read: Read, size: number): Promise<number | null> {
  let position = 0
  for (let box = 0; box < MAX_BOXES && position < size; box++) {
    const head = await read(position, 16)
    if (head.length < 8) return 8 - head.length
    const short = head.readUInt32BE(0)
    if (short === 0) return null
    const length = short === 1 && head.length === 16 ? Number(head.readBigUInt64BE(8)) : short
    // Not a box: some writers pad the end of a file. What stands before it was whole.
    if (length < 8 || !/^[\x20-\x7e\xa9]{4}$/.test(head.toString('latin1', 4, 8))) return null
    position += length
  }
  return positive(position - size)
}

/** RFC 8794: the EBML header, then one Segment whose size is unknown (all ones) when it was written as a live stream. */
async function missingInSegment(read: Read, size: number): Promise<number | null> {
  const head = await read(0, 4096)
  const header = variableInt(head, 4)
  const at = header === null ? -1 : header.end + header.value
  if (header === null || at + 12 > head.length || head.readUInt32BE(at) !== 0x18538067) return null
  const segment = variableInt(head, at + 4)
  return segment === null ? null : positive(segment.end + segment.value - size)
}

function variableInt(bytes: Buffer, at: number): { value: number; end: number } | null {
  const first = bytes[at] ?? 0
  const length = Math.clz32(first) - 23
  if (length > 8 || at + length > bytes.length) return null
  const digits = [first & (0xff >> length), ...bytes.subarray(at + 1, at + length)]
  const isUnknown = digits.every((digit, index) => digit === (index === 0 ? 0xff >> length : 0xff))
  return isUnknown ? null : { value: digits.reduce((sum, digit) => sum * 256 + digit, 0), end: at + length }
}

async function missingInRiff(read: Read, size: number): Promise<number | null> {
  const head = await read(0, 8)
  const length = head.length === 8 ? head.readUInt32LE(4) : 0
  // 0 and the largest number stand for "not known when this was written".
  return length === 0 || length >= 0xfffffff0 ? null : positive(length + 8 - size)
}

/** RFC 3533: a page is 27 bytes, its segment table, and as many bytes as the table adds up to; at most 65,307. */
async function missingInLastPage(read: Read, size: number): Promise<number | null> {
  const start = Math.max(0, size - 2 * 65_307)
  const tail = await read(start, size - start)
  for (let at = tail.lastIndexOf('OggS'); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf('OggS', at - 1)) {
    const segments = tail[at + 26]
    if (segments === undefined) return 27 - (tail.length - at)
    const table = tail.subarray(at + 27, at + 27 + segments)
    const length = 27 + segments + table.reduce((sum, lacing) => sum + lacing, 0)
    // The four letters may stand in the content as well: a page has version 0 and no unknown flag.
    if (tail[at + 4] === 0 && (tail[at + 5] ?? 0) < 8) return positive(at + length - tail.length)
  }
  return null
}

function positive(missing: number): number | null {
  return missing > 0 ? missing : null
}
