import type { AudioItem, ImageItem, Post, VideoItem } from '../../src/domain/post.ts'

const ITEM = { headers: { Referer: 'https://www.youtube.com/' }, expiresAt: null } as const

export const video = (url: string, more: Partial<VideoItem> = {}): VideoItem => ({
  ...ITEM,
  url,
  mimeType: 'video/mp4',
  source: 'direct',
  quality: '720p',
  width: 1280,
  height: 720,
  fps: 30,
  hasAudio: true,
  bytes: null,
  ...more,
})

export const audio = (url: string, more: Partial<AudioItem> = {}): AudioItem => ({
  ...ITEM,
  url,
  mimeType: 'audio/mp4',
  source: 'adaptive',
  quality: '128kbps',
  bitrate: 128_000,
  bytes: null,
  ...more,
})

export const image = (url: string, more: Partial<ImageItem> = {}): ImageItem => ({
  ...ITEM,
  url,
  mimeType: 'image/jpeg',
  width: 1080,
  height: 1350,
  ...more,
})

export const EMPTY_POST: Post = {
  title: '',
  author: '',
  thumbnail: '',
  duration: 0,
  videos: [],
  audios: [],
  images: [],
}

/** A post with one of everything, told in the wrong order. */
export const FULL_POST: Post = {
  title: 'A title',
  author: 'An author',
  thumbnail: 'https://i.ytimg.com/vi/abc/hq.jpg',
  duration: 12.5,
  videos: [
    video('https://r1.googlevideo.com/mute', { hasAudio: false, width: 1920, height: 1080, quality: '1080p' }),
    video('https://r1.googlevideo.com/small', { width: 640, height: 360, quality: '360p' }),
    video('https://r1.googlevideo.com/large'),
  ],
  audios: [audio('https://r1.googlevideo.com/sound')],
  images: [image('https://i.ytimg.com/picture.jpg')],
}
