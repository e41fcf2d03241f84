import type { FileHandle } from 'node:fs/promises'

import type { MediaRead, MediaStream, StreamSpan } from './probe.ts'

/** Longest index that is read into memory; that of three hours at 60 frames a second takes six megabytes. */
const MAX_INDEX_BYTES = 16 * 2 ** 20

/** Boxes beside the media of a plain file. One that is recorded in fragments has others. */
const PLAIN_BOXES = new Set(['ftyp', 'moov', 'mdat', 'free', 'skip', 'wide'])
const MAX_BOXES = 16

/** Ways of coding whose samples stand one by one in the index. Encrypted ones are not among them. */
const VIDEO_CODINGS = new Set(['avc1', 'avc3', 'hvc1', 'hev1', 'av01', 'vp09'])
const AUDIO_CODINGS = new Set(['mp4a', 'Opus', 'ac-3', 'ec-3', 'fLaC', 'alac'])

const ONE = 0x10000

/** How much later than its tracks the header may say that the file ends; more is left to ffprobe to judge. */
const DECLARED_SLACK_S = 0.25

/**
 * What the index of an mp4 says of its tracks, when it is plain and accounts for all: every sample has its place, whole, in
 * the media of this very file. It costs two reads, where ffprobe reads the file to its end and takes 0.1 s to start.
 * Null for anything out of the ordinary, which may be as good: ffprobe has to look. Never throws for what is in the file.
 * Of the particulars of tracks it tells the size of the picture; codecs and all others are left null.
 */
export async function readIndex(file: FileHandle, size: number): Promise<MediaRead | null> {
  const found = await findBoxes(file, size)
  if (found === null) return null
  try {
    return parseMovie(found, size)
  } catch (error) {
    if (error instanceof RangeError) return null // a number that leads out of its box, or `odd`
    throw error
  }
}

type Range = Readonly<{ start: number; end: number }>
type Boxes = Readonly<{ movie: Buffer; media: readonly Range[] }>

async function findBoxes(file: FileHandle, size: number): Promise<Boxes | null> {
  const media: Range[] = []
  let movie: Buffer | null = null
  let position = 0
  for (let box = 0; box < MAX_BOXES && position < size; box++) {
    const next = await readBoxHead(file, position)
    if (next === null || next.end > size || !PLAIN_BOXES.has(next.type)) return null
    if (next.type === 'mdat') media.push(next)
    if (next.type === 'moov') {
      movie = movie === null ? await readWhole(file, next) : null
      if (movie === null) return null
    }
    position = next.end
  }
  return movie !== null && position === size ? { movie, media } : null
}

/** ISO 14496-12 4.2: size, type, and a 64-bit size where the first is 1. The range is that of its content. */
async function readBoxHead(file: FileHandle, position: number): Promise<(Range & Readonly<{ type: string }>) | null> {
  const head = Buffer.alloc(16)
  const { bytesRead } = await file.read(head, 0, 16, position)
  const short = head.readUInt32BE(0)
  const headBytes = short === 1 ? 16 : 8
  const length = short === 1 ? Number(head.readBigUInt64BE(8)) : short
  if (bytesRead < headBytes || length < headBytes) return null
  return { type: head.toString('latin1', 4, 8), start: position + headBytes, end: position + length }
}

/** Null when it is too long, or not there to its end. */
async function readWhole(file: FileHandle, { start, end }: Range): Promise<Buffer | null> {
  if (end - start > MAX_INDEX_BYTES) return null
  const bytes = Buffer.alloc(end - start)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
  return bytesRead === bytes.length ? bytes : null
}

function parseMovie({ movie, media }: Boxes, size: number): MediaRead {
  const top = childrenOf(movie)
  if (top.has('mvex')) odd()
  const header = parseTimes(one(top, 'mvhd'))
  const streams: MediaStream[] = []
  const spans = new Map<number, StreamSpan>()
  for (const [index, track] of (top.get('trak') ?? []).entries()) {
    const { type, span, ...picture } = parseTrack(track, header.timescale, media)
    streams.push({ ...NOTHING_KNOWN, ...picture, index, type, start: span.first, duration: span.end - span.first })
    spans.set(index, span)
  }
  const end = Math.max(...[...spans.values()].map((span) => span.end))
  if (!(header.seconds <= end + DECLARED_SLACK_S)) odd()
  const probe = { formatName: 'mov,mp4,m4a,3gp,3g2,mj2', duration: header.seconds, size, start: 0, streams }
  return { probe, spans, damage: null }
}

const NOTHING_KNOWN = {
  ...{ codec: null, pixelFormat: null, frameRate: null, attachedPicture: false },
  ...{ channels: null, sampleRate: null, bitRate: null, language: null },
}

function parseTrack(
  track: Buffer,
  movieTimescale: number,
  media: readonly Range[],
): Pick<MediaStream, 'type' | 'width' | 'height'> & Readonly<{ span: StreamSpan }> {
  const boxes = childrenOf(track)
  const mdia = childrenOf(one(boxes, 'mdia'))
  const minf = childrenOf(one(mdia, 'minf'))
  const table = childrenOf(one(minf, 'stbl'))
  requireOwnMedia(one(childrenOf(one(minf, 'dinf')), 'dref'))
  const handler = one(mdia, 'hdlr').toString('latin1', 8, 12)
  const descriptions = one(table, 'stsd')
  const coding = codingOf(descriptions)
  const isVideo = handler === 'vide' && VIDEO_CODINGS.has(coding)
  const isAudio = handler === 'soun' && AUDIO_CODINGS.has(coding)
  if (!isVideo && !isAudio) odd()
  const { timescale } = parseTimes(one(mdia, 'mdhd'))
  const packets = requireSamples(table, media)
  const seconds = ticksOf(one(table, 'stts'), packets) / timescale
  const edit = boxes.has('edts') ? parseEdits(childrenOf(one(boxes, 'edts')), movieTimescale) : NO_EDIT
  const end = edit.delay + Math.min(seconds - edit.skipped / timescale, edit.length)
  const picture = isVideo ? pictureOf(descriptions) : { width: null, height: null }
  return { type: isVideo ? 'video' : 'audio', ...picture, span: { first: edit.delay, end, packets } }
}

/** mvhd and mdhd begin alike: two dates, the clock, the length; the dates and the length have 64 bits in version 1. */
function parseTimes(box: Buffer): Readonly<{ timescale: number; seconds: number }> {
  const isLong = box.readUInt8(0) === 1
  const timescale = box.readUInt32BE(isLong ? 20 : 12)
  const length = isLong ? Number(box.readBigUInt64BE(24)) : box.readUInt32BE(16)
  if (timescale === 0) odd()
  return { timescale, seconds: length / timescale }
}

/** The one way its samples are coded. */
function codingOf(stsd: Buffer): string {
  if (stsd.readUInt32BE(4) !== 1) odd()
  return stsd.toString('latin1', 12, 16)
}

/** ISO 14496-12 12.1.3: 32 bytes into the description, in pixels. */
function pictureOf(stsd: Buffer): Pick<MediaStream, 'width' | 'height'> {
  return { width: stsd.readUInt16BE(40), height: stsd.readUInt16BE(42) }
}

/** No sample may be in another file, whatever an index says. */
function requireOwnMedia(dref: Buffer): void {
  if (dref.readUInt32BE(4) !== 1 || dref.toString('latin1', 12, 16) !== 'url ' || dref.readUInt32BE(16) !== 1) odd()
}

/** How many samples there are; each has bytes, and lies in the media of this file. */
function requireSamples(table: ReadonlyMap<string, readonly Buffer[]>, media: readonly Range[]): number {
  const { count, bytesOf } = readSizes(one(table, 'stsz'))
  const { chunks, offsetOf } = readOffsets(table)
  const runs = readRuns(one(table, 'stsc'))
  let sample = 0
  for (let chunk = 0, run = 0; chunk < chunks; chunk++) {
    while ((runs[run + 1]?.firstChunk ?? Infinity) <= chunk) run++
    const until = sample + (runs[run]?.samples ?? 0)
    if (until > count) odd()
    const start = offsetOf(chunk)
    const end = start + bytesOf(sample, until)
    if (!media.some((range) => start >= range.start && end <= range.end)) odd()
    sample = until
  }
  if (sample !== count || count === 0) odd()
  return count
}

type Sizes = Readonly<{
  count: number
  /** Of the samples from `from` up to, but without, `until`. */
  bytesOf: (from: number, until: number) => number
}>

function readSizes(stsz: Buffer): Sizes {
  const uniform = stsz.readUInt32BE(4)
  const count = stsz.readUInt32BE(8)
  const bytesOf = (from: number, until: number): number => {
    if (uniform > 0) return uniform * (until - from)
    let bytes = 0
    for (let sample = from; sample < until; sample++) {
      const size = stsz.readUInt32BE(12 + 4 * sample)
      if (size === 0) odd()
      bytes += size
    }
    return bytes
  }
  return { count, bytesOf }
}

type Offsets = Readonly<{ chunks: number; offsetOf: (chunk: number) => number }>

function readOffsets(table: ReadonlyMap<string, readonly Buffer[]>): Offsets {
  if (!table.has('co64')) {
    const stco = one(table, 'stco')
    return { chunks: entriesOf(stco, 4), offsetOf: (chunk) => stco.readUInt32BE(8 + 4 * chunk) }
  }
  const co64 = one(table, 'co64')
  return { chunks: entriesOf(co64, 8), offsetOf: (chunk) => Number(co64.readBigUInt64BE(8 + 8 * chunk)) }
}

type Run = Readonly<{ firstChunk: number; samples: number }>

/** From chunk `firstChunk` on, each has so many samples. Chunks are counted from 1 in the file, from 0 here. */
function readRuns(stsc: Buffer): readonly Run[] {
  const runs = Array.from({ length: entriesOf(stsc, 12) }, (_, index) => ({
    firstChunk: stsc.readUInt32BE(8 + 12 * index) - 1,
    samples: stsc.readUInt32BE(12 + 12 * index),
  }))
  const isAscending = runs.every((run, index) => index === 0 || run.firstChunk > (runs[index - 1]?.firstChunk ?? 0))
  if (runs[0]?.firstChunk !== 0 || !isAscending) odd()
  return runs
}

/** The length of all samples, which have to be `count`, on the track's clock. */
function ticksOf(stts: Buffer, count: number): number {
  let ticks = 0
  let samples = 0
  for (let index = 0, length = entriesOf(stts, 8); index < length; index++) {
    const same = stts.readUInt32BE(8 + 8 * index)
    samples += same
    ticks += same * stts.readUInt32BE(12 + 8 * index)
  }
  if (samples !== count) odd()
  return ticks
}

/** Seconds before the track begins and that it plays at most; ticks of its own clock that are left out at its beginning. */
type Edit = Readonly<{ delay: number; skipped: number; length: number }>

const NO_EDIT: Edit = { delay: 0, skipped: 0, length: Infinity }

/** A delay, then the track once from some point on at its own speed: what encoders write. */
function parseEdits(edts: ReadonlyMap<string, readonly Buffer[]>, movieTimescale: number): Edit {
  const elst = one(edts, 'elst')
  if (elst.readUInt8(0) !== 0) odd()
  const entries = Array.from({ length: entriesOf(elst, 12) }, (_, index) => ({
    seconds: elst.readUInt32BE(8 + 12 * index) / movieTimescale,
    from: elst.readInt32BE(12 + 12 * index),
    rate: elst.readUInt32BE(16 + 12 * index),
  }))
  const edit = entries.pop()
  if (edit === undefined || edit.from < 0 || edit.rate !== ONE || entries.some(({ from }) => from !== -1)) odd()
  const delay = entries.reduce((sum, { seconds }) => sum + seconds, 0)
  return { delay, skipped: edit.from, length: edit.seconds === 0 ? Infinity : edit.seconds }
}

/** The number of entries that a table announces, which have to be in it. */
function entriesOf(box: Buffer, entryBytes: number): number {
  const count = box.readUInt32BE(4)
  if (8 + count * entryBytes > box.length) odd()
  return count
}

/** The boxes inside a box, by type. */
function childrenOf(bytes: Buffer): ReadonlyMap<string, readonly Buffer[]> {
  const children = new Map<string, Buffer[]>()
  for (let position = 0; position + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(position)
    if (length < 8 || position + length > bytes.length) odd()
    const type = bytes.toString('latin1', position + 4, position + 8)
    const known = children.get(type)
    const body = bytes.subarray(position + 8, position + length)
    if (known) known.push(body)
    else children.set(type, [body])
    position += length
  }
  return children
}

function one(boxes: ReadonlyMap<string, readonly Buffer[]>, type: string): Buffer {
  const [box, ...more] = boxes.get(type) ?? []
  if (box === undefined || more.length > 0) odd()
  return box
}

/** Out of the ordinary: not for this reader to judge. */
function odd(): never {
  throw new RangeError('the index is not a plain one')
}
