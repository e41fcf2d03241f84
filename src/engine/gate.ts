import { constants } from 'node:fs'
import { lstat, open, type FileHandle } from 'node:fs/promises'
import { basename, extname } from 'node:path'

import { TaskError } from '../domain/errors.ts'
import { readIndex } from './gate-index.ts'
import { requireWholeLength } from './gate-length.ts'
import { leadingTagLength, SNIFF_BYTES, sniff, type MediaKind, type Sniffed } from './gate-sniff.ts'
import { missingBytes } from './gate-structure.ts'
import { readThrough, type MediaContext, type MediaProbe, type MediaRead } from './probe.ts'
import type { ToolRunner } from './tool.ts'

/** What a file is meant to be. */
export type Expected = 'video' | 'audio' | 'any'

/** A file to be proven, and what is known of it. */
export type GateRequest = MediaContext &
  Readonly<{
    /** Absolute. */
    file: string
    /** `audio` also lets a file through that has moving video beside its sound; `any` lets pictures through. */
    expect: Expected
    /** Seconds that the site announced; null when it did not. */
    expectedDuration: number | null
    /** Seconds that the file may be shorter; the larger of 2 s and 2 % when left out. */
    durationTolerance?: number
    /** Bytes that the site announced for this very file; null or left out when unknown or when it was converted. */
    expectedBytes?: number | null
    /**
     * Nothing is asked about the tracks but of which kind they are: an mp4 whose own index accounts for every sample is
     * then not read through, and what the result says of its streams is no more than that.
     */
    indexIsEnough?: boolean
  }>

/** What is known of a file that was proven whole. */
export type GateResult = Readonly<{
  probe: MediaProbe
  /** What the file should be called: its own extension where that fits the content, else the one that does. */
  ext: string
  /** Seconds that its packets really span. */
  duration: number
}>

/**
 * Proves that `file` is media, whole, and what was expected, before anybody sees it; the first doubt throws TaskError
 * `invalid_media`, which says what is wrong. In this order: a regular file, not empty, not shorter than announced in
 * bytes, recognised by content and not a playlist or text in disguise, ending where its boxes, pages or chunks say it
 * does, readable from the first packet to the last (one ffprobe, nothing decoded; or, where `indexIsEnough`, by the
 * index of a plain mp4), with the streams expected, none of them much shorter than the others, and as long as its
 * header and the site announced. Only shorter is wrong.
 *
 * What the content alone cannot tell: an mp3 without a length header, MPEG-TS and ADTS cut between two packets, an Ogg
 * cut between two pages, a fragmented mp4 cut between two fragments and a Matroska written as a live stream cut
 * between two clusters are whole files themselves. Those are found by `expectedBytes` or `expectedDuration` only.
 *
 * A failure of the run itself (`timeout`, `cancelled`, …) is thrown with its own code.
 */
export async function checkWhole(runner: ToolRunner, request: GateRequest): Promise<GateResult> {
  const { sniffed, index } = await checkBytes(request)
  const read = index ?? (await readThrough(runner, request.file, request))
  const kind = KIND_OF_FORMAT[read.probe.formatName]
  if (kind === undefined) invalid(`not media of a known kind (${read.probe.formatName})`)
  if (sniffed !== null && SURE_KINDS.has(sniffed.kind) && sniffed.kind !== kind) {
    invalid(`its beginning says ${sniffed.kind}, its content ${kind}`)
  }
  requireStreams(read.probe, kind, request.expect)
  if (read.damage !== null) invalid(`truncated or damaged: ${read.damage}`)
  const duration = kind === 'picture' ? 0 : requireWholeLength(read, request)
  const natural = sniffed?.ext ?? NATURAL_EXT[kind]
  return { probe: read.probe, ext: extensionFor(request.file, kind, { probe: read.probe, natural }), duration }
}

type Recognised = Exclude<Sniffed, { kind: 'refused' } | null>

type Bytes = Readonly<{
  sniffed: Recognised | null
  /** What stands for reading the file through; null when that is needed. */
  index: MediaRead | null
}>

/** Everything that can be told without another process. */
async function checkBytes({ file, expectedBytes, indexIsEnough }: GateRequest): Promise<Bytes> {
  const stat = await lstat(file).catch(() => null)
  if (stat === null) invalid('there is no file')
  if (!stat.isFile()) invalid('not a regular file')
  if (stat.size === 0) invalid('the file is empty')
  if (expectedBytes != null && stat.size < expectedBytes) {
    invalid(`truncated: ${stat.size} bytes instead of the announced ${expectedBytes}`)
  }
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  const sniffed = await sniffFile(handle)
  if (sniffed === null) return { sniffed, index: null }
  if (sniffed.kind === 'refused') invalid(`not media but ${sniffed.what}`)
  const missing = await missingBytes(handle, sniffed.kind, stat.size)
  if (missing !== null) invalid(`truncated: at least ${missing} bytes are missing at its end`)
  const index = indexIsEnough === true && sniffed.kind === 'mp4' ? await readIndex(handle, stat.size) : null
  return { sniffed, index }
}

async function sniffFile(handle: FileHandle): Promise<Sniffed> {
  const readAt = async (position: number) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, position)
    return buffer.subarray(0, bytesRead)
  }
  const head = await readAt(0)
  const tagLength = leadingTagLength(head)
  return tagLength === 0 ? sniff(head) : sniff(await readAt(tagLength), true)
}

function requireStreams({ streams }: MediaProbe, kind: MediaKind, expect: Expected): void {
  if (expect === 'any') return
  if (kind === 'picture') invalid(`a picture instead of ${expect}`)
  const wanted = streams.some((stream) => stream.type === expect && !stream.attachedPicture)
  if (!wanted) invalid(`no ${expect} stream`)
}

const KIND_OF_FORMAT: Readonly<Record<string, MediaKind>> = {
  'mov,mp4,m4a,3gp,3g2,mj2': 'mp4',
  'matroska,webm': 'matroska',
  mp3: 'mp3',
  aac: 'adts',
  ogg: 'ogg',
  flac: 'flac',
  wav: 'wav',
  avi: 'avi',
  mpegts: 'mpegts',
  mpeg: 'mpegps',
  flv: 'flv',
  live_flv: 'flv',
  asf: 'asf',
  ac3: 'ac3',
  eac3: 'ac3',
  gif: 'gif',
  image2: 'picture',
  jpeg_pipe: 'picture',
  png_pipe: 'picture',
  webp_pipe: 'picture',
}

/** Kinds that a signature names beyond doubt; the others are guessed from a few bits. */
const SURE_KINDS: ReadonlySet<MediaKind> = new Set(['mp4', 'matroska', 'ogg', 'flac', 'wav', 'avi', 'asf', 'flv'])

const NATURAL_EXT: Readonly<Record<MediaKind, string>> = {
  mp4: 'mp4',
  matroska: 'mkv',
  mp3: 'mp3',
  adts: 'aac',
  ogg: 'ogg',
  flac: 'flac',
  wav: 'wav',
  avi: 'avi',
  mpegts: 'ts',
  mpegps: 'mpg',
  flv: 'flv',
  asf: 'wmv',
  ac3: 'ac3',
  gif: 'gif',
  picture: 'jpg',
}

/** Names under which players open each kind. */
const EXTENSIONS: Readonly<Record<MediaKind, readonly string[]>> = {
  mp4: ['mp4', 'm4a', 'm4v', 'm4b', 'm4r', 'mov', '3gp', '3g2', 'f4v'],
  matroska: ['mkv', 'mka', 'mk3d'],
  mp3: ['mp3'],
  adts: ['aac'],
  ogg: ['ogg', 'oga', 'ogv', 'opus', 'spx'],
  flac: ['flac'],
  wav: ['wav'],
  avi: ['avi'],
  mpegts: ['ts', 'm2ts', 'mts'],
  mpegps: ['mpg', 'mpeg', 'vob'],
  flv: ['flv'],
  asf: ['wmv', 'wma', 'asf'],
  ac3: ['ac3', 'eac3'],
  gif: ['gif'],
  picture: ['jpg', 'jpeg', 'png', 'webp', 'avif', 'heic'],
}

function extensionFor(file: string, kind: MediaKind, content: { probe: MediaProbe; natural: string }): string {
  const current = extname(basename(file)).slice(1).toLowerCase()
  const isWebm = content.natural === 'webm'
  const fitting = kind === 'picture' ? [content.natural] : isWebm ? [...EXTENSIONS.matroska, 'webm'] : EXTENSIONS[kind]
  if (fitting.includes(current)) return current
  const isAudio = !content.probe.streams.some((stream) => stream.type === 'video' && !stream.attachedPicture)
  if (!isAudio) return content.natural
  return { mp4: 'm4a', mkv: 'mka', wmv: 'wma' }[content.natural] ?? content.natural
}

function invalid(what: string): never {
  throw new TaskError('invalid_media', what)
}
