import { z } from 'zod'
import { PLATFORMS, type Platform } from '../../domain/platform.ts'
import type { Endpoint } from '../route.ts'

type Facts = Readonly<{ name: string; linkFormats: readonly string[]; examples: readonly string[] }>

/** What the documents say of each service. */
const FACTS: Readonly<Record<Platform, Facts>> = {
  tiktok: {
    name: 'TikTok',
    linkFormats: [
      'tiktok.com/@user/video/{id}',
      'tiktok.com/@user/photo/{id}',
      'tiktok.com/t/{code}',
      'vm.tiktok.com/{code}',
    ],
    examples: ['https://www.tiktok.com/@user/video/7234567890123456789'],
  },
  douyin: {
    name: 'Douyin',
    linkFormats: ['v.douyin.com/{code}', 'douyin.com/video/{id}', 'douyin.com/note/{id}', 'douyin.com/shipin/{id}'],
    examples: ['https://www.douyin.com/video/7234567890123456789'],
  },
  youtube: {
    name: 'YouTube',
    linkFormats: ['youtu.be/{id}', 'youtube.com/watch?v={id}', 'youtube.com/shorts/{id}', 'youtube.com/live/{id}'],
    examples: ['https://www.youtube.com/watch?v=dQw4w9WgXcQ'],
  },
  twitter: {
    name: 'X / Twitter',
    linkFormats: ['x.com/{user}/status/{id}', 'twitter.com/{user}/status/{id}'],
    examples: ['https://x.com/user/status/1234567890123456789'],
  },
  instagram: {
    name: 'Instagram',
    linkFormats: [
      'instagram.com/p/{code}',
      'instagram.com/reel/{code}',
      'instagram.com/tv/{code}',
      'instagram.com/share/…',
    ],
    examples: ['https://www.instagram.com/reel/C0abcdefghi/'],
  },
  xiaohongshu: {
    name: 'Xiaohongshu',
    linkFormats: ['xhslink.com/{code}', 'xiaohongshu.com/explore/{id}', 'xiaohongshu.com/discovery/item/{id}'],
    examples: ['https://www.xiaohongshu.com/explore/64b0c1d2e3f4a5b6c7d8e9f0'],
  },
  bilibili: {
    name: 'Bilibili',
    linkFormats: ['bilibili.com/video/BV…', 'bilibili.com/video/av…', 'b23.tv/{code}', 'bilibili.com/bangumi/play/ep…'],
    examples: ['https://www.bilibili.com/video/BV1xx411c7mD'],
  },
  kuaishou: {
    name: 'Kuaishou',
    linkFormats: ['kuaishou.com/short-video/{id}', 'v.kuaishou.com/{token}', 'kuaishou.com/f/{token}'],
    examples: ['https://www.kuaishou.com/short-video/3xabcdefghijkmn'],
  },
  weibo: {
    name: 'Weibo',
    linkFormats: ['weibo.com/{uid}/{id}', 'm.weibo.cn/status/{id}', 'weibo.com/tv/show/1034:{id}', 't.cn/{code}'],
    examples: ['https://weibo.com/1234567890/NabcdEfgH'],
  },
}

const schema = z
  .strictObject({
    status: z.literal(200),
    data: z.strictObject({
      commonEndpoint: z.string(),
      billing: z.strictObject({ creditsPerSuccessfulParse: z.literal(1), failedRequestsCharged: z.literal(false) }),
      platforms: z.array(
        z.strictObject({
          id: z.enum(PLATFORMS),
          name: z.string(),
          linkFormats: z.array(z.string()),
          examples: z.array(z.string()),
        }),
      ),
    }),
    msg: z.literal('success'),
  })
  .meta({ id: 'EasydownCapabilities', description: 'What can be read' })

/** `GET /api/v1/capabilities`: no key is needed, nothing in it is a secret. */
export const capabilitiesEndpoint: Endpoint = {
  method: 'get',
  path: '/api/v1/capabilities',
  permission: null,
  body: null,
  doc: {
    summary: 'The services whose posts can be read',
    tag: 'Easydown',
    keyless: 'always',
    answers: { 200: schema },
  },
}

/** `prefix`: what stands before the paths. */
export const capabilities = (prefix: string): z.input<typeof schema> => ({
  status: 200,
  data: {
    commonEndpoint: `${prefix}/api/v1/parse`,
    billing: { creditsPerSuccessfulParse: 1, failedRequestsCharged: false },
    platforms: PLATFORMS.map((id) => ({
      id,
      name: FACTS[id].name,
      linkFormats: [...FACTS[id].linkFormats],
      examples: [...FACTS[id].examples],
    })),
  },
  msg: 'success',
})
