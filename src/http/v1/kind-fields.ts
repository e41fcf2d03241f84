import type { TaskKind, TaskRequest } from '../../domain/task.ts'

/** Fields of a submission that mean something for some kinds only. */
export type KindField = keyof typeof KINDS_OF_FIELD

const PICTURE = ['video', 'live_video'] as const
const SOUND = ['audio', 'live_audio'] as const
const MEDIA = ['video', 'audio'] as const
const LIVE = ['live_video', 'live_audio'] as const

const KINDS_OF_FIELD = {
  quality: [...PICTURE, ...SOUND],
  video_format: PICTURE,
  audio_format: [...PICTURE, ...SOUND],
  container: PICTURE,
  audio_codec: SOUND,
  audio_bitrate: SOUND,
  image_format: ['thumbnail'],
  clips: MEDIA,
  exact_cuts: MEDIA,
  chapters: MEDIA,
  embed: MEDIA,
  write: MEDIA,
  subtitles: [...MEDIA, 'subtitles'],
  sponsorblock: MEDIA,
  live: LIVE,
} as const satisfies Record<string, readonly TaskKind[]>

/** Every such field. */
export const KIND_FIELDS = Object.keys(KINDS_OF_FIELD) as readonly KindField[]

/** Whether a field means something for what a task makes. */
export const isFieldOf = (field: KindField, kind: TaskKind): boolean =>
  (KINDS_OF_FIELD[field] as readonly TaskKind[]).includes(kind)

/** What kind of file comes of a request: a playlist's is that of its entries. */
export const madeKindOf = ({ kind, playlist }: Pick<TaskRequest, 'kind' | 'playlist'>): TaskKind =>
  playlist?.kind ?? kind
