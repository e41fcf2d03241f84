import type { TaskRequest } from '../domain/task.ts'
import { wantsThumbnail, type FetchPlan } from './fetch-plan.ts'

/** Base names of what yt-dlp writes beside a medium. */
export const SUBTITLES_STEM = 'subs'
export const THUMBNAIL_STEM = 'thumb'

/** What we can convert and put into a file, the most widely read first; what a site has else where it has none of these. */
const SUBTITLE_PREFERENCE = 'vtt/srt/ass/ttml/best'

/** Asks for the subtitles and the thumbnail that stand beside a medium. */
export function sideArgs(request: TaskRequest, { languages }: FetchPlan): string[] {
  return [
    ...(languages.length === 0 ? [] : subtitleArgs(request, languages)),
    ...(wantsThumbnail(request) ? ['--write-thumbnail', '--output', `thumbnail:${THUMBNAIL_STEM}.%(ext)s`] : []),
  ]
}

function subtitleArgs(
  { embed, subtitles: { automatic, format } }: TaskRequest,
  languages: readonly string[],
): string[] {
  const converted = format ?? (embed.includes('subtitles') ? 'vtt' : null)
  return [
    '--write-subs',
    ...(automatic ? ['--write-auto-subs'] : []),
    '--sub-langs',
    // yt-dlp reads each as a pattern; a tag has no other character that means something there.
    languages.map((tag) => tag.replaceAll('.', String.raw`\.`)).join(','),
    '--sub-format',
    SUBTITLE_PREFERENCE,
    ...(converted === null ? [] : ['--convert-subs', converted]),
    '--output',
    `subtitle:${SUBTITLES_STEM}.%(ext)s`,
  ]
}
