import type { EngineRun } from '../../src/engine/engine-run.ts'
import { galleryFailure } from '../../src/engine/gallery-failure.ts'

const run = { lane: { denials: [], failure: null } } as unknown as EngineRun
const row = (error: string, message: string) => [[-1, { error, message }]]

describe('what gallery-dl says when it found nothing', () => {
  test.each<[string, unknown, string, string]>([
    ['a missing post', row('NotFoundError', 'Requested post could not be found'), '', 'not_found'],
    ['a wanted login', row('AuthRequired', "'twid' cookie needed"), '', 'login_required'],
    ['adults only', row('AuthRequired', 'NSFW Tweet'), '', 'age_restricted'],
    ['a private account', row('AuthRequired', 'Protected Tweet'), '', 'private'],
    [
      'a login page',
      row('AbortExtraction', 'HTTP redirect to login page (https://www.instagram.com/accounts/login/)'),
      '',
      'login_required',
    ],
    ['a status', row('HttpError', "'404 Not Found' for 'https://weibo.com/ajax/statuses/show?id=1'"), '', 'not_found'],
    ['another status', row('HttpError', "'502 Bad Gateway' for 'https://x.com/'"), '', 'upstream_5xx'],
    ['too many requests', row('AbortExtraction', 'Rate limit exceeded'), '', 'rate_limited'],
    ['a challenge', row('ChallengeError', "'403 Forbidden' for 'https://x.com/'"), '', 'bot_check'],
    [
      'words on standard error alone',
      [],
      '[tiktok][error] https://www.tiktok.com/: Login required to access this post',
      'login_required',
    ],
    [
      'a name on standard error alone',
      [],
      '[twitter][error] NotFoundError: Requested tweet could not be found',
      'not_found',
    ],
  ])('%s', (_what, rows, stderr, code) => {
    expect(galleryFailure(rows, stderr, run)?.code).toBe(code)
  })

  test('nothing is no reason', () => {
    expect(galleryFailure([], '', run)).toBeNull()
    expect(galleryFailure(null, '[urllib3][warning] retrying', run)).toBeNull()
  })

  test('no path and no query is shown', () => {
    const failure = galleryFailure(row('HttpError', "'404 Not Found' for 'https://weibo.com/a?token=secret'"), '', run)
    expect(failure?.message).not.toContain('secret')
  })
})
