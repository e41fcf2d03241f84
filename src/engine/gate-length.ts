import { TaskError } from '../domain/errors.ts'
import type { MediaRead, MediaStream, StreamSpan } from './probe.ts'

/** How long a file should be, in seconds; see `GateRequest`. */
export type LengthExpectation = Readonly<{ expectedDuration: number | null; durationTolerance?: number }>

/** What a site announces is often rounded, and the last frames of a clip depend on where its key frames are. */
const ANNOUNCED_SECONDS = 2
const ANNOUNCED_SHARE = 0.02

/** A header is exact but for the last packet's own length and an encoder's delay. */
const DECLARED_SECONDS = 0.5
const DECLARED_SHARE = 0.01

/** Sound and picture of one recording seldom end together; a track that was cut off misses far more. */
const TRACK_SECONDS = 3
const TRACK_SHARE = 0.1

/** A track of one or two pictures is a still beside the sound, whatever its length. */
const STILL_PACKETS = 2

/**
 * Seconds that the packets of sound and picture span. Throws TaskError `invalid_media` where that is less than the
 * header declares or the site announced, or where one track stops long before the other.
 */
export function requireWholeLength(read: MediaRead, expectation: LengthExpectation): number {
  const tracks = read.probe.streams.filter(isTrack)
  const spans = tracks.map(({ index }) => read.spans.get(index)).filter((span) => span !== undefined)
  if (spans.length === 0) fail('nothing to play in it')
  const first = Math.min(...spans.map((span) => span.first))
  const end = Math.max(...spans.map((span) => span.end))
  const length = end - first
  requireDeclared(read, Math.max(end, length))
  requireAgreement(tracks, read.spans, { first, end })
  const { expectedDuration: announced } = expectation
  const tolerance = expectation.durationTolerance ?? Math.max(ANNOUNCED_SECONDS, (announced ?? 0) * ANNOUNCED_SHARE)
  if (announced !== null && length < announced - tolerance) {
    fail(`shorter than announced: ${seconds(length)} instead of ${seconds(announced)}`)
  }
  return length
}

function isTrack(stream: MediaStream): boolean {
  return (stream.type === 'video' || stream.type === 'audio') && !stream.attachedPicture
}

/** The longest of all streams counts, subtitles too: the header's length covers them. */
function requireDeclared({ probe, spans }: MediaRead, trackEnd: number): void {
  const declared = probe.duration
  if (declared === null) return
  const end = Math.max(trackEnd, ...[...spans.values()].map((span) => span.end))
  if (end < declared - Math.max(DECLARED_SECONDS, declared * DECLARED_SHARE)) {
    fail(`truncated: ends after ${seconds(end)} of the ${seconds(declared)} in its header`)
  }
}

/** The longest track of each type counts: a commentary or a second language may be as short as it likes. */
function requireAgreement(
  tracks: readonly MediaStream[],
  spans: ReadonlyMap<number, StreamSpan>,
  whole: Readonly<{ first: number; end: number }>,
): void {
  const length = whole.end - whole.first
  for (const type of ['video', 'audio'] as const) {
    const own = tracks.filter((stream) => stream.type === type)
    if (own.length === 0) continue
    const present = own.map(({ index }) => spans.get(index)).filter((span) => span !== undefined)
    const packets = present.reduce((sum, span) => sum + span.packets, 0)
    if (type === 'video' && packets > 0 && packets <= STILL_PACKETS) continue
    const reached = Math.max(whole.first, ...present.map((span) => span.end)) - whole.first
    if (length - reached > Math.max(TRACK_SECONDS, length * TRACK_SHARE)) {
      fail(`truncated: its ${type} ends after ${seconds(reached)} of ${seconds(length)}`)
    }
  }
}

function seconds(value: number): string {
  return `${Math.round(value * 10) / 10} s`
}

function fail(what: string): never {
  throw new TaskError('invalid_media', what)
}
