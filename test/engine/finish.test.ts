import { madeFile } from '../../src/engine/finish.ts'
import { requestOf } from '../support/samples.ts'

test('a finished file has its number in its name, and a length to the millisecond', () => {
  const shaped = { path: '/attempt/x.mp3', extension: 'mp3', duration: 20.016000000000002, width: null, height: null }
  expect(madeFile(requestOf(), shaped, { number: 2, note: null })).toMatchObject({
    name: 'video.2.mp3',
    duration: 20.016,
  })
})
