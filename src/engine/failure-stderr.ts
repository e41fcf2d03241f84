import { stripVTControlCharacters } from 'node:util'

/** What yt-dlp and ffmpeg print on standard error, taken apart and made fit for a reader. Pure. */

/** One `ERROR:` or `WARNING:` of yt-dlp. */
export type ToolMessage = Readonly<{
  /** `youtube`, `generic`, …; null when the message is not about one site. */
  extractor: string | null
  /** The message without `ERROR:`, site and id. Several lines where the tool wrote several. */
  text: string
}>

/** All that a tool printed on standard error, sorted. */
export type ParsedStderr = Readonly<{
  /** In the order printed; a playlist has one for each entry that failed. */
  errors: readonly ToolMessage[]
  warnings: readonly ToolMessage[]
  /** Of the last error that names one. */
  extractor: string | null
  /** Lines that are neither, nor part of one: tracebacks, ffmpeg's own output. */
  rest: readonly string[]
}>

const MAX_LINES = 2000
/** yt-dlp's longest message (geo restriction with its country list) has three lines. */
const MAX_CONTINUATION = 6
const MAX_MESSAGE = 8192
/** ffmpeg's lines have at most 1024 characters. */
const MAX_REST_LINE = 2048
const HEAD = /^\s*(ERROR|WARNING): ?(.*)$/
const SITE = /^\[([^\]\s][^\]]{0,60})\] /
/** Bracketed words that stand where a site would, yet are none. */
const NOT_A_SITE = /^(download|rtmpdump|Errno -?\d+|SSL.*|debug|info|ffmpeg|wait)$/i

/** Splits at \n and \r, drops colours, joins continuation lines to their message. Reads at most the last 2000 lines. */
export function parseStderr(text: string): ParsedStderr {
  const errors: ToolMessage[] = []
  const warnings: ToolMessage[] = []
  const rest: string[] = []
  let open: { list: ToolMessage[]; lines: string[] } | null = null
  const close = () => {
    open?.list.push(toMessage(open.lines.join('\n').trim().slice(0, MAX_MESSAGE)))
    open = null
  }
  for (const line of toLines(text)) {
    const head = HEAD.exec(line)
    if (head !== null) {
      close()
      open = { list: head[1] === 'ERROR' ? errors : warnings, lines: [head[2] ?? ''] }
    } else if (open !== null && continues(open.lines, line, open.list === errors)) {
      open.lines.push(line)
    } else {
      close()
      rest.push(line.slice(0, MAX_REST_LINE))
    }
  }
  close()
  return { errors, warnings, extractor: errors.findLast((error) => error.extractor)?.extractor ?? null, rest }
}

function toLines(text: string): string[] {
  return stripVTControlCharacters(text)
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
    .slice(-MAX_LINES)
}

/**
 * `ERROR: \r[download] Got error: …` breaks before its own text; other errors go on with unmarked lines. After a
 * warning an unmarked line is ffmpeg's, unless indented.
 */
function continues(lines: readonly string[], line: string, isError: boolean): boolean {
  if (lines.length === 1 && lines[0]?.trim() === '') return true
  if (lines.length >= MAX_CONTINUATION || /^(\[|Traceback |Deprecated Feature|\s+File "|Usage: )/.test(line))
    return false
  return isError || /^\s/.test(line)
}

function toMessage(message: string): ToolMessage {
  const site = SITE.exec(message)
  const name = site?.[1] ?? ''
  if (site === null || NOT_A_SITE.test(name)) return { extractor: null, text: message.replace(/^\[download\] /, '') }
  const body = message.slice(site[0].length)
  return { extractor: name, text: withoutId(name, body) }
}

/**
 * Cuts `id: `. Ids of `generic` are the URL's last word and those of searches what somebody typed, so they may hold
 * spaces; elsewhere a head with spaces is the message itself (`Unable to log in: …`).
 */
function withoutId(extractor: string, body: string): string {
  const id = /generic|search/i.test(extractor) ? /^.*?\S: / : /^\S+: /
  return body.replace(id, '')
}

const BOILERPLATE: readonly RegExp[] = [
  /;? ?please report this issue on\s+https?:\/\/\S+.*?yt-dlp -U\b\.?/gis,
  /\s*\(caused by .*\)\s*$/gis,
  /(\bIf [^.!?;\n]{0,80}, then )?\bUse --(cookies|username|netrc).*$/gis,
  /\bYou (might|may) want to (use|try) a VPN.*$/gis,
  /\bThis request requires browser impersonation.*$/gis,
  /\bCall yt-dlp like this.*$/gis,
  /[;.,(]?\s*(Please )?DO NOT open (an )?issues?\b.*$/gis,
]

/** Advice for people at a command line: of no use, or misleading, to users of a server. */
const ADVICE = /(^|[\s"'(`<])--?[a-z][\w-]*|github\.com\/yt-dlp|\byt-dlp -|netrc|\bcookies? file\b/i
const ADVICE_CLAUSE = /[,(]\s*(then|use|pass|try|add|see|with|refer|and pass|or pass)\b.*$/is

/**
 * One line of at most `max` characters to show to a user: no command-line advice, no path of this machine, no
 * credentials, no queries of URLs, no control characters.
 */
export function sanitiseMessage(text: string, max = 500): string {
  let clean = stripVTControlCharacters(text)
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/ ?\n[ \n]*/g, '\n')
  for (const pattern of BOILERPLATE) clean = clean.replace(pattern, ' ')
  clean = clean
    .replaceAll(/(?<=[^.!?;:\s])\s*\n/g, '. ')
    .split(/(?<=[.;!?])\s+/)
    .map(withoutAdvice)
    .join(' ')
    .replaceAll(/\b([a-z][\w+.-]{0,30}:\/\/)([^\s"'<>]+)/gi, (_, scheme: string, tail: string) =>
      cleanUrl(scheme, tail),
    )
    .replaceAll(/(^|[\s"'(=[]|file:)\/(?=[^\s/])(?:[^\s"'/<>]+\/)*[^\s"'<>,;:)]+/g, '$1<file>')
    .replaceAll(/\b(user(?:name)?|pass(?:word)?|token|cookie|authorization)=\S+/gi, '$1=<hidden>')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[\s,;:]+$/, '')
    .trim()
  return clean.length <= max ? clean : `${clean.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

function withoutAdvice(sentence: string): string {
  if (!ADVICE.test(sentence)) return sentence
  const rest = sentence.replace(ADVICE_CLAUSE, '')
  return ADVICE.test(rest) || /^(if|for more|otherwise|alternatively)\b/i.test(rest) ? '' : rest
}

/** Without user, password, query and fragment; addresses of this machine vanish whole. */
function cleanUrl(scheme: string, tail: string): string {
  const bare = tail.replace(/^[^/?#]*@/, '').replace(/[?#].*$/, '')
  return /^file:/i.test(scheme) || /^(127\.|localhost\b|\[::1\])/i.test(bare) ? '<local>' : `${scheme}${bare}`
}
