import { z } from 'zod'
import { OUTPUT_FORMATS } from '../../domain/output-format.ts'
import { QUALITIES } from '../../domain/quality.ts'
import { EMBED_WISHES, SPONSOR_CATEGORIES, SUBTITLE_FORMATS, WEBHOOK_EVENTS, WRITE_WISHES } from '../../domain/task.ts'
import { IMAGE_FORMATS } from '../../domain/wishes.ts'
import { filenameField, flagField, outputFormatField, selectorField, text, timeField, urlField } from '../fields.ts'

const MAX_CLIPS = 20
const MAX_CHAPTERS = 50
const MAX_LANGUAGES = 50
const MAX_TITLE = 200
const BITRATE = { min: 32, max: 512 }

/** A choice of words; one that is not among them is refused with those that are. */
export const word = <const T extends readonly [string, ...string[]]>(name: string, words: T) =>
  z.enum(words, { error: `${name} must be one of ${words.join(', ')}` })

/** A list without repetitions of words. */
const words = <const T extends readonly [string, ...string[]]>(name: string, known: T) =>
  z
    .array(word(name, known), { error: `${name} must be a list of ${known.join(', ')}` })
    .refine((list) => list.length <= known.length * 2, `${name} has more than there are`)
    .transform((list) => [...new Set(list)])

/** A list of at most `max`. */
export const list = <T extends z.ZodType>(name: string, item: T, max: number) =>
  z.array(item, { error: `${name} must be a list` }).max(max, `${name} may have at most ${max} entries`)

/** An object without other fields than these. */
export const object = <T extends z.ZodRawShape>(name: string, shape: T) =>
  z.strictObject(shape, {
    // What has a field too many is told by that field's name.
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : `${name} must be an object`),
  })

/** A whole number in bounds. */
export const whole = (name: string, min: number, max: number) =>
  z
    .int({ error: `${name} must be a whole number from ${min} to ${max}` })
    .min(min, `${name} must be at least ${min}`)
    .max(max, `${name} may be at most ${max}`)

const clip = object('a clip', { start: timeField('start').nullish(), end: timeField('end').nullish() })
  .refine(({ start, end }) => (start ?? null) !== null || (end ?? null) !== null, 'a clip needs a start or an end')
  .refine(({ start, end }) => (end ?? null) === null || (end ?? 0) > (start ?? 0), {
    error: 'end must be greater than start',
    path: ['end'],
  })
  .transform(({ start, end }) => ({ start: start ?? null, end: end ?? null }))

export const clipsField = list('clips', clip, MAX_CLIPS)
  .min(1, 'clips must have at least one entry')
  .meta({
    description:
      'Parts to cut out, each a file of its own. Times are seconds or "HH:MM:SS", with a fraction or without',
    example: [{ start: 10, end: '1:30' }],
  })

const languages = list(
  'languages',
  text('a language', 35).regex(/^[A-Za-z0-9][\w.-]*$/, 'a language must be a tag such as en, pt-BR or all'),
  MAX_LANGUAGES,
).min(1, 'languages must have at least one entry')

const subtitlesField = object('subtitles', {
  languages: languages.nullish().meta({ description: 'Tags as the site spells them, or `all`; English if left out' }),
  automatic: flagField('automatic').nullish().meta({ description: 'Take machine-made ones where there are no others' }),
  format: word('format', SUBTITLE_FORMATS).nullish().meta({ description: 'As the site has them if left out' }),
})

const duration = timeField('duration').refine((value) => value > 0, 'duration must be greater than 0')

/** Fields that mean something for some kinds only. */
export const kindFields = {
  quality: word('quality', QUALITIES)
    .nullish()
    .meta({ description: 'The most lines there may be, or a word; `audio` leaves the picture out', example: '1080p' }),
  video_format: selectorField('video_format')
    .nullish()
    .meta({ description: 'A selector of yt-dlp instead of a quality', example: 'bestvideo[height<=1080]' }),
  audio_format: selectorField('audio_format')
    .nullish()
    .meta({ description: 'A selector of yt-dlp; `none` for a video without sound', example: 'bestaudio[ext=m4a]' }),
  container: outputFormatField('container', 'video')
    .nullish()
    .meta({
      description: `Container of a video: ${OUTPUT_FORMATS.video.join(', ')}; as it comes if left out`,
      example: 'mp4',
    }),
  audio_codec: outputFormatField('audio_codec', 'audio')
    .nullish()
    .meta({
      description: `Codec of a sound: ${OUTPUT_FORMATS.audio.join(', ')}; as it comes if left out`,
      example: 'mp3',
    }),
  audio_bitrate: whole('audio_bitrate', BITRATE.min, BITRATE.max)
    .nullish()
    .meta({ description: 'kbit/s of a sound that is encoded' }),
  image_format: word('image_format', IMAGE_FORMATS)
    .nullish()
    .meta({ description: 'Form of a thumbnail; as it comes if left out', example: 'jpg' }),
  clips: clipsField.nullish(),
  exact_cuts: flagField('exact_cuts')
    .nullish()
    .meta({ description: 'Cut exactly, which encodes again, instead of at the nearest key frames' }),
  chapters: z
    .union(
      [
        z.literal('split'),
        list('chapters', text('a chapter', MAX_TITLE).min(1, 'a chapter has a title'), MAX_CHAPTERS).min(
          1,
          'chapters must have at least one title',
        ),
      ],
      { error: 'chapters must be "split" or a list of titles' },
    )
    .nullish()
    .meta({ description: 'A file for each chapter of the medium, or for those with these titles' }),
  embed: words('embed', EMBED_WISHES).nullish().meta({ description: 'What becomes part of the file' }),
  write: words('write', WRITE_WISHES).nullish().meta({ description: 'What is kept as a file beside it' }),
  subtitles: subtitlesField.nullish().meta({ description: 'Which subtitles are meant' }),
  sponsorblock: object('sponsorblock', {
    action: word('action', ['remove', 'mark']).nullish().meta({ description: '`mark` if left out: as chapters' }),
    categories: words('categories', SPONSOR_CATEGORIES).nullish().meta({ description: '`sponsor` if left out' }),
  })
    .nullish()
    .meta({ description: 'What to do with parts that users of SponsorBlock marked' }),
  live: object('live', {
    start: timeField('start').nullish().meta({ description: 'How far back from now to begin' }),
    duration: duration.meta({ description: 'How long to record', example: 600 }),
  })
    .nullish()
    .meta({ description: 'What to record; live kinds need it' }),
}

/** How the operator says that a site is to be visited. */
export const sitePresetField = text('site_preset', 64)
  .regex(/^[\w.-]+$/, 'site_preset must be the name of a preset')
  .meta({ description: "The operator's preset for the site" })

/** Fields that mean something for every kind. */
export const commonFields = {
  site_preset: sitePresetField.nullish(),
  cookies: flagField('cookies')
    .nullish()
    .meta({ description: "Use the key's cookies of the site where there are some; true if left out" }),
}

export const filename = filenameField('filename')
  .nullish()
  .meta({ description: 'Base of the name offered to whoever saves the file' })

/** What is told to a client's server when something ends. */
export const webhookField = object('webhook', {
  url: urlField.meta({
    description: 'Where it is sent, by POST; a public address',
    example: 'https://bot.example/done',
  }),
  events: words('events', WEBHOOK_EVENTS)
    .refine((events) => events.length > 0, 'events must have at least one entry')
    .nullish()
    .meta({ description: 'Every end of a task if left out; of a batch or playlist its end as a whole' }),
})
