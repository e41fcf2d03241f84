import type { ServerResponse } from 'node:http'
import { crc32 } from 'node:zlib'
import { pumpPart, write } from './pump-file.ts'

/** One file of a zip. `modifiedAt`: milliseconds since the epoch. */
export type ZipEntry = Readonly<{ name: string; path: string; size: number; modifiedAt: number }>

/** From here on a number does not fit its field and stands in a 64-bit one (APPNOTE.TXT 4.5.3). */
const FULL = 0xffffffff
const FULL_COUNT = 0xffff

const VERSION = 20
const VERSION_ZIP64 = 45
const MADE_ON_UNIX = 3 << 8
/** Bit 3: checksum and sizes follow the data. Bit 11: names are UTF-8. */
const FLAGS = 0x0808
const PLAIN_FILE = (0o100644 << 16) >>> 0

/** Of each record, without what varies. */
const BYTES = { header: 30, record: 46, time: 9, zip64: 4, end: 22, zip64End: 76 } as const

type Placed = Readonly<{ entry: ZipEntry; name: Buffer; offset: number }>

/** Bytes of a zip of these files, exactly: reckoned rather than laid out, which would take ten times as long. */
export function zipLength(entries: readonly ZipEntry[]): number {
  let offset = 0
  let directory = 0
  for (const { name, size } of entries) {
    const isLarge = size >= FULL
    const large = (isLarge ? 2 : 0) + (offset >= FULL ? 1 : 0)
    const named = Buffer.byteLength(name) + BYTES.time
    directory += BYTES.record + named + (large > 0 ? BYTES.zip64 + 8 * large : 0)
    offset += BYTES.header + named + (isLarge ? BYTES.zip64 + 16 : 0) + size + (isLarge ? 24 : 16)
  }
  const isLarge = entries.length >= FULL_COUNT || offset >= FULL || directory >= FULL
  return offset + directory + BYTES.end + (isLarge ? BYTES.zip64End : 0)
}

/**
 * Sends files as the body of an answer, a zip that stores them as they are. Nothing is kept but names and checksums, and
 * one file is open at a time. Resolves when all is handed over or the client has left; rejects, and cuts the answer off,
 * when a file is not what its entry says.
 */
export async function sendZip(entries: readonly ZipEntry[], res: ServerResponse): Promise<void> {
  try {
    if (await sendParts(entries, res)) res.end()
  } catch (error) {
    res.destroy()
    throw error
  }
}

/** False when the client has left. */
async function sendParts(entries: readonly ZipEntry[], res: ServerResponse): Promise<boolean> {
  const parts = zipParts(entries)
  let crc = 0
  const onPiece = (piece: Buffer) => {
    crc = crc32(piece, crc)
  }
  for (let part = parts.next(0); part.done !== true; part = parts.next(crc)) {
    const { value } = part
    crc = 0
    const isSent = Buffer.isBuffer(value)
      ? await write(res, value)
      : await pumpPart(value.path, { start: 0, length: value.size, onPiece }, res)
    if (!isSent) return false
  }
  return true
}

/** A zip in its order: bytes as they are, and files whose bytes go there. After a file it is told the CRC-32 of those. */
export function* zipParts(entries: readonly ZipEntry[]): Generator<Buffer | ZipEntry, void, number> {
  const records: Buffer[] = []
  let offset = 0
  let before: Buffer = Buffer.alloc(0)
  for (const entry of entries) {
    const placed = { entry, name: Buffer.from(entry.name), offset }
    const header = localHeader(placed)
    yield Buffer.concat([before, header])
    const crc = yield entry
    before = descriptor(entry.size, crc)
    offset += header.length + entry.size + before.length
    records.push(record(placed, crc))
  }
  const directory = Buffer.concat(records)
  yield Buffer.concat([before, directory, ending(entries.length, { offset, size: directory.length })])
}

/** What stands before a file's bytes. A zip64 field says that the descriptor behind them has 64-bit sizes. */
function localHeader({ entry, name }: Placed): Buffer {
  const isLarge = entry.size >= FULL
  const sizes = isLarge ? zip64Field([0, 0]) : Buffer.alloc(0)
  const extra = Buffer.concat([timeField(entry), sizes])
  const { date, time } = dosTime(entry.modifiedAt)
  const size = isLarge ? FULL : 0
  const fixed = packed([
    [4, 0x04034b50],
    [2, isLarge ? VERSION_ZIP64 : VERSION],
    [2, FLAGS],
    [2, 0],
    [2, time],
    [2, date],
    [4, 0],
    [4, size],
    [4, size],
    [2, name.length],
    [2, extra.length],
  ])
  return Buffer.concat([fixed, name, extra])
}

/** What stands behind a file's bytes. */
function descriptor(size: number, crc: number): Buffer {
  const width = size >= FULL ? 8 : 4
  return packed([
    [4, 0x08074b50],
    [4, crc],
    [width, size],
    [width, size],
  ])
}

/** A file's record in the directory at the end. */
function record({ entry, name, offset }: Placed, crc: number): Buffer {
  const isLarge = entry.size >= FULL
  const isFar = offset >= FULL
  const large = [...(isLarge ? [entry.size, entry.size] : []), ...(isFar ? [offset] : [])]
  const extra = Buffer.concat([timeField(entry), ...(large.length > 0 ? [zip64Field(large)] : [])])
  const version = large.length > 0 ? VERSION_ZIP64 : VERSION
  const { date, time } = dosTime(entry.modifiedAt)
  const size = isLarge ? FULL : entry.size
  const fixed = packed([
    [4, 0x02014b50],
    [2, MADE_ON_UNIX | version],
    [2, version],
    [2, FLAGS],
    [2, 0],
    [2, time],
    [2, date],
    [4, crc],
    [4, size],
    [4, size],
    [2, name.length],
    [2, extra.length],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, PLAIN_FILE],
    [4, isFar ? FULL : offset],
  ])
  return Buffer.concat([fixed, name, extra])
}

/** Where the directory is; said twice when the numbers are too large for the old record. */
function ending(count: number, { offset, size }: Readonly<{ offset: number; size: number }>): Buffer {
  const isLarge = count >= FULL_COUNT || offset >= FULL || size >= FULL
  const zip64 = packed([
    [4, 0x06064b50],
    [8, 44],
    [2, MADE_ON_UNIX | VERSION_ZIP64],
    [2, VERSION_ZIP64],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, size],
    [8, offset],
    [4, 0x07064b50],
    [4, 0],
    [8, offset + size],
    [4, 1],
  ])
  const old = packed([
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, isLarge ? FULL_COUNT : count],
    [2, isLarge ? FULL_COUNT : count],
    [4, isLarge ? FULL : size],
    [4, isLarge ? FULL : offset],
    [2, 0],
  ])
  return isLarge ? Buffer.concat([zip64, old]) : old
}

const zip64Field = (values: readonly number[]) =>
  packed([[2, 0x0001], [2, 8 * values.length], ...values.map((value) => [8, value] as const)])

/** Info-ZIP's time stamp: seconds of UTC, which the DOS time is not. */
const timeField = ({ modifiedAt }: ZipEntry) =>
  packed([
    [2, 0x5455],
    [2, 5],
    [1, 1],
    [4, Math.floor(modifiedAt / 1000)],
  ])

function dosTime(at: number): { date: number; time: number } {
  const day = new Date(at)
  const years = Math.max(0, day.getUTCFullYear() - 1980)
  return {
    date: (years << 9) | ((day.getUTCMonth() + 1) << 5) | day.getUTCDate(),
    time: (day.getUTCHours() << 11) | (day.getUTCMinutes() << 5) | (day.getUTCSeconds() >> 1),
  }
}

/** Numbers of 1, 2, 4 or 8 bytes, little-endian. */
function packed(fields: readonly (readonly [bytes: number, value: number])[]): Buffer {
  const buffer = Buffer.allocUnsafe(fields.reduce((sum, [bytes]) => sum + bytes, 0))
  let at = 0
  for (const [bytes, value] of fields) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at)
    else buffer.writeUIntLE(value, at, bytes)
    at += bytes
  }
  return buffer
}
