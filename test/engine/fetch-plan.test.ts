import { TaskError } from '../../src/domain/errors.ts'
import type { TaskRequest } from '../../src/domain/task.ts'
import { chaptersOf, cleanText, planFetch } from '../../src/engine/fetch-plan.ts'
import { requestOf } from '../support/samples.ts'

const MEDIUM = {
  title: 'T',
  duration: 60,
  chapters: [
    { start_time: 30, end_time: 60, title: 'Two' },
    { start_time: 0, end_time: 30, title: 'One' },
  ],
  subtitles: { 'en-GB': [], de: [], live_chat: [], '../x': [], 'a,b': [], '.*': [] },
  automatic_captions: { en: [], fr: [], de: [] },
}
const planOf = (more: Partial<TaskRequest>, medium: unknown = MEDIUM) =>
  planFetch(requestOf(more), JSON.stringify(medium))
const refusalOf = (more: Partial<TaskRequest>, medium?: unknown) => {
  try {
    planOf(more, medium)
    return null
  } catch (error) {
    if (error instanceof TaskError) return `${error.code}: ${error.message}`
    throw error
  }
}
const wish = (languages: readonly string[], automatic = false) => ({
  kind: 'subtitles' as const,
  subtitles: { languages, automatic, format: null },
})

describe('languages', () => {
  test.each([
    ['of people, a regional form where there is no plain one', ['en'], false, ['en-GB']],
    ['whatever the case', ['DE'], false, ['de']],
    ['of people before those of a machine', ['de', 'en'], true, ['de', 'en-GB']],
    ['of a machine where they are wanted and there are no others', ['fr'], true, ['fr']],
    ['all of them, but for names that are none', ['all'], false, ['en-GB', 'de']],
    ['once each', ['de', 'de', 'all'], false, ['de', 'en-GB']],
  ])('are the site’s own: %s', (_, languages, automatic, expected) => {
    expect(planOf(wish(languages, automatic)).languages).toEqual(expected)
  })

  test('are never a pattern of a client', () => {
    for (const tag of ['.*', 'e.', 'e', '-de', '../x', 'a,b', 'live_chat']) {
      expect(refusalOf(wish([tag]))).toMatch(
        /^no_media: no subtitles in .*: there are en-GB, de; 3 more made by machine/,
      )
    }
  })

  test('that are missing are told of, and end the task only when it is about them', () => {
    expect(planOf(wish(['de', 'ko'])).lacks).toEqual(['it has no subtitles in ko'])
    expect(planOf({ ...wish(['ko']), kind: 'video', embed: ['subtitles'] }).lacks).toEqual([
      'it has no subtitles in ko',
    ])
    expect(refusalOf(wish(['de']), { title: 'T' })).toBe('no_media: no subtitles in de: there are none at all')
  })

  test('are not fetched by the hundred', () => {
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`x${n}`, []]))
    expect(refusalOf(wish(['all'], true), { automatic_captions: many })).toBe(
      'bad_request_options: there are subtitles in 150 languages: name at most 40',
    )
  })
})

describe('parts', () => {
  test('are the chapters in their order, or those that were named', () => {
    const one = { start: 0, end: 30, title: 'One' }
    const two = { start: 30, end: 60, title: 'Two' }
    expect(planOf({ chapters: 'split' })).toMatchObject({ parts: [one, two], cutHere: true })
    expect(planOf({ chapters: [' two '] })).toMatchObject({ parts: [two], cutHere: false })
    expect(refusalOf({ chapters: ['T.*'] })).toBe(
      'bad_request_options: no chapter is called “T.*”; there are “One”, “Two”',
    )
    expect(refusalOf({ chapters: 'split' }, { duration: 5 })).toBe('no_media: this medium has no chapters')
  })

  test('have to begin before the end', () => {
    expect(refusalOf({ clips: [{ start: 60, end: null }] })).toMatch(/^bad_request_options: a clip begins at 60 s/)
    expect(refusalOf({ clips: [{ start: 60, end: null }] }, { title: 'of unknown length' })).toBeNull()
  })
})

describe('what a site says', () => {
  test('of chapters is put in order, and completed', () => {
    const chapters = [
      { start_time: 10, end_time: null, title: 'b\n[CHAPTER]' },
      { start_time: 0, title: null },
      { start_time: 20, end_time: 15, title: 'backwards' },
    ]
    expect(chaptersOf({ chapters, duration: 30 })).toEqual([
      { start: 0, end: 10, title: 'Chapter 1' },
      { start: 10, end: 20, title: 'b [CHAPTER]' },
    ])
  })

  test.each([[null], ['x'], [[{ start_time: 'x' }]], [{}]])('of chapters may be nonsense: %j', (chapters) => {
    expect(planOf({ embed: ['chapters'] }, { chapters }).lacks).toEqual(['it has no chapters'])
  })

  test('becomes one line of at most 300 characters', () => {
    expect(cleanText(' a\r\n\u0000b\u2028c\ud800 ')).toBe('a b c')
    expect(Array.from(cleanText('😀'.repeat(400)))).toHaveLength(300)
  })
})
