/** What the first bytes of a file say it is. Pure. */

/** Families of containers that are told apart. */
export type MediaKind =
  | 'mp4'
  | 'matroska'
  | 'mp3'
  | 'adts'
  | 'ogg'
  | 'flac'
  | 'wav'
  | 'avi'
  | 'mpegts'
  | 'mpegps'
  | 'flv'
  | 'asf'
  | 'ac3'
  | 'gif'
  | 'picture'

/** What the beginning of a file says. */
export type Sniffed =
  | Readonly<{ kind: MediaKind; ext: string }>
  /** Not media, or a list of other files in the guise of media: `what` names it for the user. */
  | Readonly<{ kind: 'refused'; what: string }>
  /** Binary, of no kind known here: ffprobe decides. */
  | null

/** Enough for every signature, and for telling text from binary. */
export const SNIFF_BYTES = 4096

/** Bytes before the content: an ID3v2 tag, which may hold a large cover picture. */
export function leadingTagLength(head: Buffer): number {
  if (head.length < 10 || head.toString('latin1', 0, 3) !== 'ID3') return 0
  const [a = 0, b = 0, c = 0, d = 0] = head.subarray(6, 10)
  const footer = ((head[5] ?? 0) & 0x10) === 0 ? 0 : 10
  return 10 + footer + ((a & 0x7f) << 21) + ((b & 0x7f) << 14) + ((c & 0x7f) << 7) + (d & 0x7f)
}

/** `head` begins where the file does, or after its leading tag. */
export function sniff(head: Buffer, tagged = false): Sniffed {
  return sniffText(head) ?? sniffSignature(head) ?? sniffSync(head) ?? (tagged ? { kind: 'mp3', ext: 'mp3' } : null)
}

type Mark = readonly [pattern: RegExp, what: string]

/** Beginnings of lists that ffmpeg would open other files by: refused whatever follows. */
const LISTS: readonly Mark[] = [
  [/^#EXTM3U/, 'an HLS playlist'],
  [/^<MPD[\s>]/, 'a DASH manifest'],
  [/^ffconcat /, 'a list of files (ffconcat)'],
  [/^\[playlist\]/i, 'a playlist (PLS)'],
  [/^\[Reference\]/i, 'a playlist (ASX)'],
  [/^v=0\r?\n/, 'a session description (SDP)'],
]

/** What a text is that a site sent instead of media. */
const TEXTS: readonly Mark[] = [
  [/<MPD[\s>]/, 'a DASH manifest'],
  [/<SmoothStreamingMedia/, 'a Smooth Streaming manifest'],
  [/<svg[\s>]/i, 'an SVG drawing'],
  [/<!doctype html|<html[\s>]/i, 'a web page'],
  [/^WEBVTT/, 'subtitles'],
  [/^(\{\s*["}]|\[\s*["{[\]\d])/, 'JSON'],
  [/^<\?xml/, 'an XML document'],
  [/^/, 'text'],
]

function sniffText(head: Buffer): Sniffed {
  const text = head
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
  const found = [...LISTS, ...(isText(head) ? TEXTS : [])].find(([pattern]) => pattern.test(text))
  return found === undefined ? null : { kind: 'refused', what: found[1] }
}

function isText(head: Buffer): boolean {
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === 0x1b)
}

type Signature = readonly [offset: number, bytes: string, kind: MediaKind, ext: string]

const SIGNATURES: readonly Signature[] = [
  [0, '\x1a\x45\xdf\xa3', 'matroska', 'mkv'],
  [0, 'OggS', 'ogg', 'ogg'],
  [0, 'fLaC', 'flac', 'flac'],
  [8, 'WAVE', 'wav', 'wav'],
  [8, 'AVI ', 'avi', 'avi'],
  [8, 'WEBP', 'picture', 'webp'],
  [0, 'FLV\x01', 'flv', 'flv'],
  [0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11', 'asf', 'wmv'],
  [0, '\x00\x00\x01\xba', 'mpegps', 'mpg'],
  [0, '\x0b\x77', 'ac3', 'ac3'],
  [0, '\xff\xd8\xff', 'picture', 'jpg'],
  [0, '\x89PNG\r\n\x1a\n', 'picture', 'png'],
  [0, 'GIF8', 'gif', 'gif'],
]

/** Boxes that an ISO base media or QuickTime file may begin with. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moov', 'moof', 'mdat', 'free', 'skip', 'wide', 'sidx', 'pnot'])

function sniffSignature(head: Buffer): Sniffed {
  if (FIRST_BOXES.has(head.toString('latin1', 4, 8))) return sniffBrand(head.toString('latin1', 8, 12))
  const found = SIGNATURES.find(([offset, bytes]) => head.toString('latin1', offset, offset + bytes.length) === bytes)
  if (found === undefined) return null
  const [, , kind, ext] = found
  if (kind === 'matroska' && head.includes('webm', 0, 'latin1')) return { kind, ext: 'webm' }
  if (kind === 'ogg' && head.includes('OpusHead', 0, 'latin1')) return { kind, ext: 'opus' }
  return { kind, ext }
}

function sniffBrand(brand: string): Sniffed {
  if (/^(avif|avis|heic|heix|mif1)$/.test(brand))
    return { kind: 'picture', ext: brand.startsWith('av') ? 'avif' : 'heic' }
  if (brand === 'qt  ') return { kind: 'mp4', ext: 'mov' }
  if (brand.startsWith('M4A')) return { kind: 'mp4', ext: 'm4a' }
  return { kind: 'mp4', ext: brand.startsWith('3g') ? '3gp' : 'mp4' }
}

/** Formats without a header are known by the mark each of their packets begins with. */
function sniffSync(head: Buffer): Sniffed {
  // 188 bytes a packet; 192 with a time stamp before each (Blu-ray).
  for (const [first, size] of [
    [0, 188],
    [4, 192],
  ] as const) {
    const marks = [0, 1, 2, 3].map((packet) => first + packet * size).filter((at) => at < head.length)
    if (marks.every((at) => head[at] === 0x47)) return { kind: 'mpegts', ext: 'ts' }
  }
  const [sync = 0, version = 0, rate = 0] = head
  if (sync !== 0xff) return null
  if ((version & 0xf6) === 0xf0) return { kind: 'adts', ext: 'aac' }
  const layer = (version >> 1) & 3
  const isMpegAudio = (version & 0xe0) === 0xe0 && ((version >> 3) & 3) !== 1 && (layer === 1 || layer === 2)
  return isMpegAudio && rate >> 4 !== 15 && ((rate >> 2) & 3) !== 3 ? { kind: 'mp3', ext: 'mp3' } : null
}
