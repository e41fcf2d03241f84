import fc from 'fast-check'
import { ownPart, safeName } from '../../../src/http/files/file-name.ts'
import type { Task } from '../../../src/domain/task.ts'

describe('a text as the name of a file', () => {
  test.each([
    ['A quiet title', 'A quiet title'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['..', 'video'],
    ['', 'video'],
    ['   ', 'video'],
    ['...', 'video'],
    ['a/b\\c:d*e?f"g<h>i|j', 'a_b_c_d_e_f_g_h_i_j'],
    ['<script>alert(1)</script>', '_script_alert(1)__script_'],
    ['CON', 'CON_'],
    ['nul.txt', 'nul_.txt'],
    ['COM1', 'COM1_'],
    ['LPT9.x', 'LPT9_.x'],
    ['Contact', 'Contact'],
    ['ends in dots...', 'ends in dots'],
    ['.hidden', 'hidden'],
    ['nul\u0000 and\nline', 'nul_ and_line'],
    ['evil\u202egpj.exe', 'evilgpj.exe'],
    ['e\u0301', '\u00e9'],
    ['🎬 שלום', '🎬 שלום'],
    ['broken \ud83c', 'broken \ufffd'],
  ])('%j becomes %j', (text, name) => {
    expect(safeName(text, 100, 'video')).toBe(name)
  })

  test('is cut between characters, at bytes', () => {
    expect(safeName('x'.repeat(1000), 100, 'video')).toBe('x'.repeat(99))
    const family = '👨‍👩‍👧'
    const cut = safeName(family.repeat(50), 100, 'video')
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(100)
    expect(cut).not.toContain('\ufffd')
  })

  test('is safe whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.integer({ min: 10, max: 200 }),
        (text, maxBytes) => {
          const name = safeName(text, maxBytes, 'video')
          expect(name).not.toMatch(/[/\\\u0000-\u001f:*?"<>|]|^\.|[. ]$|^$/) // eslint-disable-line no-control-regex -- these are what must not be there
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(maxBytes)
          expect(name.isWellFormed()).toBe(true)
        },
      ),
    )
  })
})

test.each([
  ['video.mp4', '.mp4'],
  ['video.en.srt', '.en.srt'],
  ['thumbnail.jpg', '.thumbnail.jpg'],
  ['video-2.mp4', '.video-2.mp4'],
])('of %s beside video.mp4, %s tells it from the others', (name, part) => {
  const task = { files: [{ name: 'video.mp4' }] } as unknown as Task
  expect(ownPart(task, { name })).toBe(part)
})
