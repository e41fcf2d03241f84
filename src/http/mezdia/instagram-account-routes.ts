import { z } from 'zod'
import { secondsOf, type GalleryFacts } from '../../domain/gallery-rows.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { MezdiaContext } from './context.ts'
import { countField, patienceOf, textField } from './fields.ts'
import { userNameOf } from './instagram-place.ts'
import { number, text } from './instagram-schemas.ts'

const tag = 'Mezdia: Instagram'
const description =
  'Instagram shows this only to those who are logged in: to the cookies that the key has of instagram.com.'

const byUser = z.object({ username: textField.meta({ description: 'Name of the account, with or without @' }) })
type ByUser = z.output<typeof byUser>

const accountUrl = (user: string, page = ''): string => `https://www.instagram.com/${user}/${page}`

const storiesSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('stories'),
    username: z.string(),
    user_id: text,
    has_active_stories: z.boolean(),
    active_stories_count: z.number(),
    stories: z.array(
      z.strictObject({
        story_id: text,
        story_index: z.number(),
        media_type: z.enum(['video', 'image']),
        url: text,
        thumbnail: text,
        duration: number,
        timestamp: number,
        width: number,
        height: number,
      }),
    ),
    message: z.string().optional(),
  })
  .meta({ id: 'MezdiaStories' })

const getStories = defineRoute<MezdiaContext, null, null, ByUser>({
  method: 'get',
  path: '/instagram/story/info',
  permission: 'get_info',
  query: byUser,
  body: null,
  doc: { summary: 'The stories of an account', description, tag, answers: { 200: storiesSchema } },
  async handle({ details }, { key, query, res }) {
    const username = userNameOf(query.username)
    const url = `https://www.instagram.com/stories/${username}/`
    const { files, heads } = await details.lookAtAccount(key, url, patienceOf(res))
    return {
      success: true,
      type: 'stories',
      username,
      user_id: files[0]?.owner_id ?? heads[0]?.owner_id ?? null,
      has_active_stories: files.length > 0,
      active_stories_count: files.length,
      stories: files.map(storyBody),
      ...(files.length === 0 ? { message: 'No active stories found or account may be private.' } : {}),
    }
  },
})

const storyBody = (story: GalleryFacts, index: number) => ({
  story_id: story.media_id === null ? null : `${story.media_id}_${story.owner_id ?? ''}`,
  story_index: index + 1,
  media_type: story.video_url === null ? 'image' : 'video',
  url: story.video_url ?? story.display_url,
  thumbnail: story.display_url,
  duration: null,
  timestamp: secondsOf(story.date),
  width: story.width,
  height: story.height,
})

/** One file of each post, the first, in the order of the page. */
function postsOf(files: readonly GalleryFacts[], limit: number): readonly GalleryFacts[] {
  const byCode = new Map<string, GalleryFacts>()
  for (const file of files) {
    const code = file.post_shortcode
    if (code !== null && !byCode.has(code)) byCode.set(code, file)
  }
  return [...byCode.values()].slice(0, limit)
}

const MAX_TITLE_CHARS = 100

/** Posts of Instagram have no titles: the first line that was written. */
const titleOf = ({ description: written }: GalleryFacts): string | null =>
  written === null ? null : (written.split('\n', 1)[0]?.slice(0, MAX_TITLE_CHARS) ?? null)

const RECENT = 12

const profileSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('profile'),
    username: z.string(),
    user_id: text,
    profile_url: z.string(),
    total_posts: number,
    recent_posts: z.array(z.strictObject({ id: text, title: text, url: text, thumbnail: text, duration: number })),
    recent_posts_count: z.number(),
  })
  .meta({ id: 'MezdiaProfile' })

const getProfile = defineRoute<MezdiaContext, null, null, ByUser>({
  method: 'get',
  path: '/instagram/profile/info',
  permission: 'get_info',
  query: byUser,
  body: null,
  doc: { summary: 'An account and its newest posts', description, tag, answers: { 200: profileSchema } },
  async handle(ctx, { key, query, res }) {
    const username = userNameOf(query.username)
    const { about, files } = await readProfile(ctx, key, { username, signal: patienceOf(res) })
    const posts = postsOf(files, RECENT)
    return {
      success: true,
      type: 'profile',
      username,
      user_id: about?.pk ?? about?.id ?? posts[0]?.owner_id ?? null,
      profile_url: accountUrl(username),
      total_posts: about?.media_count ?? null,
      recent_posts: posts.map((post) => ({
        id: post.post_shortcode,
        title: titleOf(post),
        url: post.post_url,
        thumbnail: post.display_url,
        duration: null,
      })),
      recent_posts_count: posts.length,
    }
  },
})

async function readProfile(
  { details }: MezdiaContext,
  key: Parameters<MezdiaContext['details']['lookAtAccount']>[0],
  { username, signal }: Readonly<{ username: string; signal: AbortSignal }>,
): Promise<Readonly<{ about: GalleryFacts | null; files: readonly GalleryFacts[] }>> {
  const about = await details.lookAtAccount(key, accountUrl(username, 'info/'), signal)
  const { files } = await details.lookAtAccount(key, accountUrl(username, 'posts/'), signal)
  return { about: about.heads[0] ?? null, files }
}

const postsQuery = byUser.extend({ limit: countField(1, 50).default(RECENT).meta({ description: 'Most posts' }) })

const postsSchema = z
  .strictObject({
    success: z.literal(true),
    type: z.literal('profile_posts'),
    username: z.string(),
    total_posts: number,
    returned_count: z.number(),
    limit: z.number(),
    posts: z.array(
      z.strictObject({
        index: z.number(),
        post_id: text,
        title: text,
        url: text,
        thumbnail: text,
        duration: number,
        is_video: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'MezdiaProfilePosts' })

const getPosts = defineRoute<MezdiaContext, null, null, z.output<typeof postsQuery>>({
  method: 'get',
  path: '/instagram/profile/posts',
  permission: 'get_info',
  query: postsQuery,
  body: null,
  doc: { summary: 'The newest posts of an account', description, tag, answers: { 200: postsSchema } },
  async handle(ctx, { key, query: { username: said, limit }, res }) {
    const username = userNameOf(said)
    const { about, files } = await readProfile(ctx, key, { username, signal: patienceOf(res) })
    const posts = postsOf(files, limit)
    return {
      success: true,
      type: 'profile_posts',
      username,
      total_posts: about?.media_count ?? null,
      returned_count: posts.length,
      limit,
      posts: posts.map((post, index) => ({
        index,
        post_id: post.post_shortcode,
        title: titleOf(post),
        url: post.post_url,
        thumbnail: post.display_url,
        duration: null,
        is_video: post.video_url !== null,
      })),
    }
  },
})

/** What Instagram shows of accounts to those who are logged in. */
export const instagramAccountRoutes: readonly AnyRoute<MezdiaContext>[] = [getStories, getProfile, getPosts]
