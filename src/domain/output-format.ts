/** What `output_format` may ask for: the container of a video, the codec (or its usual container) of a sound. */
export const OUTPUT_FORMATS = {
  video: ['mp4', 'm4v', 'mov', 'mkv', 'webm', 'avi', 'flv', 'ts', '3gp', 'ogv', 'gif'],
  audio: ['mp3', 'm4a', 'aac', 'opus', 'ogg', 'vorbis', 'flac', 'wav', 'alac', 'ac3', 'mka'],
} as const

export type VideoFormat = (typeof OUTPUT_FORMATS.video)[number]
export type AudioFormat = (typeof OUTPUT_FORMATS.audio)[number]

export const isVideoFormat = (word: string): word is VideoFormat => OUTPUT_FORMATS.video.some((known) => known === word)
export const isAudioFormat = (word: string): word is AudioFormat => OUTPUT_FORMATS.audio.some((known) => known === word)
