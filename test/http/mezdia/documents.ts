/** What yt-dlp prints of a video, as far as faces show it. */
export const VIDEO = {
  id: 'dQw4w9WgXcQ',
  title: 'A title',
  description: 'd'.repeat(600),
  duration: 212,
  duration_string: '3:32',
  view_count: 1234567890,
  upload_date: '20091025',
  channel: 'A channel',
  channel_id: 'UC1',
  channel_url: 'https://www.youtube.com/channel/UC1',
  channel_follower_count: 12345678,
  thumbnail: 'https://i.ytimg.com/vi/dQw4w9WgXcQ/maxresdefault.jpg',
  thumbnails: [0, 1, 2, 3, 4, 5].map((n) => ({
    id: String(n),
    url: `https://i.ytimg.com/${n}.jpg`,
    width: 100 * n,
    height: 50 * n,
  })),
  webpage_url: 'https://www.youtube.com/watch?v=dQw4w9WgXcQ',
  extractor_key: 'Youtube',
  is_live: false,
  age_limit: 0,
  formats: [
    { format_id: 'sb0', ext: 'mhtml', protocol: 'mhtml', vcodec: 'none', acodec: 'none', url: 'https://r1/sb' },
    {
      format_id: '140',
      ext: 'm4a',
      protocol: 'https',
      vcodec: 'none',
      acodec: 'mp4a.40.2',
      abr: 128,
      resolution: 'audio only',
      url: 'https://r1/140',
    },
    {
      format_id: '18',
      ext: 'mp4',
      protocol: 'https',
      vcodec: 'avc1',
      acodec: 'mp4a',
      height: 360,
      width: 640,
      resolution: '640x360',
      url: 'https://r1/18',
    },
    {
      format_id: '22',
      ext: 'mp4',
      protocol: 'https',
      vcodec: 'avc1',
      acodec: 'mp4a',
      height: 720,
      width: 1280,
      resolution: '1280x720',
      url: 'https://r1/22',
    },
    {
      format_id: '96',
      ext: 'mp4',
      protocol: 'm3u8_native',
      vcodec: 'avc1',
      acodec: 'mp4a',
      height: 1080,
      url: 'https://r1/96.m3u8',
    },
    {
      format_id: '137',
      ext: 'mp4',
      protocol: 'https',
      vcodec: 'avc1.640028',
      acodec: 'none',
      height: 1080,
      width: 1920,
      fps: 30,
      filesize: 123456789,
      format_note: '1080p',
      resolution: '1920x1080',
      url: 'https://r1/137',
    },
  ],
  subtitles: { en: [{ ext: 'vtt', url: 'https://r1/en.vtt' }], live_chat: [{ ext: 'json', url: 'https://r1/chat' }] },
  automatic_captions: {
    en: [{ ext: 'vtt', url: 'https://r1/auto.vtt' }],
    fa: [{ ext: 'vtt', url: 'https://r1/fa.vtt' }],
  },
}

const entry = (n: number) => ({
  _type: 'url',
  ie_key: 'Youtube',
  id: `simPlain00${n}`,
  url: `https://www.youtube.com/watch?v=simPlain00${n}`,
  title: `Video ${n}`,
  duration: 180,
  thumbnails: [{ url: `https://i.ytimg.com/vi/${n}/default.jpg` }],
})

export const PLAYLIST = {
  _type: 'playlist',
  id: 'PL1',
  title: 'A playlist',
  uploader: 'A channel',
  extractor_key: 'YoutubeTab',
  entries: [entry(1), entry(2)],
}

const slide = (n: number) => ({
  id: `slide${n}`,
  thumbnails: [{ url: `https://cdn/${n}.jpg`, width: 1080, height: 1350 }],
  formats: [],
})

const post = {
  description: 'A caption\nof two lines',
  channel: 'simgram',
  uploader: 'Sim Gram',
  uploader_id: '25025320',
  timestamp: 1640000000,
  like_count: 123456,
  comment_count: 5678,
}

export const CAROUSEL = {
  ...post,
  _type: 'playlist',
  id: 'CnU4zIh9x_F',
  title: 'Post by simgram',
  entries: [
    slide(1),
    {
      ...slide(2),
      duration: 8,
      formats: [{ format_id: 'v', ext: 'mp4', protocol: 'https', url: 'https://cdn/2.mp4', width: 720, height: 1280 }],
    },
  ],
}

export const PHOTO = { ...post, ...slide(1), id: 'CnU4zIh9x_F', title: 'Post by simgram' }

export const REEL = {
  ...post,
  ...slide(1),
  id: 'CnU4zIh9x_F',
  title: 'Video by simgram',
  duration: 22.5,
  view_count: 1234567,
  formats: [
    {
      format_id: '122',
      ext: 'mp4',
      protocol: 'https',
      url: 'https://cdn/small.mp4',
      width: 360,
      height: 640,
      resolution: '360x640',
    },
    {
      format_id: '123',
      ext: 'mp4',
      protocol: 'https',
      url: 'https://cdn/reel.mp4',
      width: 1080,
      height: 1920,
      fps: 30,
      resolution: '1080x1920',
      filesize: 12345678,
    },
  ],
}
