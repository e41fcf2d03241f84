import type { Exchange } from './exchange.ts'
import { type Video, videos } from './youtube-catalog.ts'
import { text } from './youtube-text.ts'

const LANGUAGES: Readonly<Record<string, string>> = {
  en: 'English',
  de: 'German',
  fr: 'French',
  es: 'Spanish',
  ja: 'Japanese',
  pt: 'Portuguese',
}

const track = (video: Video, language: string, isAutomatic: boolean) => ({
  baseUrl: `https://www.youtube.com/api/timedtext?v=${video.id}&caps=asr${isAutomatic ? '&kind=asr' : ''}&lang=${language}`,
  name: text(`${LANGUAGES[language] ?? language}${isAutomatic ? ' (auto-generated)' : ''}`),
  vssId: `${isAutomatic ? 'a' : ''}.${language}`,
  languageCode: language,
  ...(isAutomatic ? { kind: 'asr' } : {}),
  isTranslatable: true,
  trackName: '',
})

/** `captions` of the player's answer; null for a video that has none. */
export function captions(video: Video) {
  const { subtitles = [], autoCaptions } = video
  if (subtitles.length === 0 && autoCaptions === undefined) return null
  return {
    playerCaptionsTracklistRenderer: {
      captionTracks: [
        ...subtitles.map((language) => track(video, language, false)),
        ...(autoCaptions === undefined ? [] : [track(video, autoCaptions, true)]),
      ],
      translationLanguages: Object.entries(LANGUAGES).map(([languageCode, name]) => ({
        languageCode,
        languageName: text(name),
      })),
    },
  }
}

type Cue = Readonly<{ from: number; to: number; line: string }>

const timestamp = (seconds: number, separator: '.' | ','): string => {
  const two = (value: number) => String(value).padStart(2, '0')
  return `00:${two(Math.floor(seconds / 60))}:${two(seconds % 60)}${separator}000`
}
const span = ({ from, to }: Cue, separator: '.' | ','): string =>
  `${timestamp(from, separator)} --> ${timestamp(to, separator)}`

/** `/api/timedtext`: a line every five seconds, in the formats that yt-dlp asks for. */
export function timedText(exchange: Exchange): boolean {
  const { query } = exchange
  const duration = videos.get(query.get('v') ?? '')?.duration ?? 0
  const language = query.get('tlang') ?? query.get('lang')
  const cues = Array.from({ length: 12 }, (_, index): Cue => {
    return { from: index * 5, to: index * 5 + 4, line: `[${language}] line ${index + 1}` }
  }).filter(({ to }) => to <= duration)
  switch (query.get('fmt') ?? 'srv1') {
    case 'vtt': {
      const body = cues.map((cue) => `${span(cue, '.')}\n${cue.line}\n`).join('\n')
      return exchange.send(200, `WEBVTT\nKind: captions\nLanguage: ${language}\n\n${body}`, 'text/vtt; charset=UTF-8')
    }
    case 'srt': {
      const body = cues.map((cue, index) => `${index + 1}\n${span(cue, ',')}\n${cue.line}\n`).join('\n')
      return exchange.send(200, body, 'text/plain; charset=UTF-8')
    }
    case 'json3': {
      const events = cues.map(({ from, to, line }) => ({
        tStartMs: from * 1000,
        dDurationMs: (to - from) * 1000,
        segs: [{ utf8: line }],
      }))
      return exchange.json({ wireMagic: 'pb3', events })
    }
    default: {
      const lines = cues.map(({ from, to, line }) => `<text start="${from}" dur="${to - from}">${line}</text>`)
      const body = `<?xml version="1.0" encoding="utf-8" ?><transcript>${lines.join('')}</transcript>`
      return exchange.send(200, body, 'text/xml; charset=UTF-8')
    }
  }
}
