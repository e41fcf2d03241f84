/** Selectors of a picture that means "the best there is, without sound", at the beginning of what a client sent. */
const BEST_VIDEO = /^(bestvideo\*?|bv\*?)(?=$|[[/+])/
const BEST_AUDIO = /^(bestaudio\*?|ba\*?)(?=$|[[/+])/

/** A comparison in a filter: a format that does not tell the field does not pass, unless a `?` follows the operator. */
const STRICT_FILTER = /(\[[\w.-]+\s*(?:[<>]=?|!?=))(?!\?|=)/g

/**
 * The selector of a video: picture and sound, then one file that has both, then the picture alone.
 * The later choices let formats pass that do not tell the field they are filtered by: a bare link knows neither its
 * height nor its codecs.
 */
export function videoSelector(video: string, audio: string | null): string {
  const lenient = video.replaceAll(STRICT_FILTER, '$1?')
  if (audio === null) return distinct([video, lenient.replace(BEST_VIDEO, 'bestvideo*')])
  return distinct([
    ...alternatives(video).map((picture) => `${picture}+${group(audio)}`),
    lenient.replace(BEST_VIDEO, 'best'),
    lenient,
  ])
}

/** The selector of a sound: the sound alone, then whatever file contains one. */
export function audioSelector(audio: string): string {
  const lenient = audio.replaceAll(STRICT_FILTER, '$1?')
  return distinct([audio, lenient.replace(BEST_AUDIO, 'bestaudio*'), lenient.replace(BEST_AUDIO, 'best')])
}

/** `a/b` beside a `+` has to be spelled out or grouped; a selector with brackets of its own is grouped as it stands. */
const alternatives = (selector: string) =>
  /[()[\]]/.test(selector) ? [group(selector)] : selector.split('/').filter((part) => part !== '')

const group = (selector: string) => (/[/,]/.test(selector) ? `(${selector})` : selector)
const distinct = (choices: readonly string[]) => [...new Set(choices)].join('/')
