/** Opens COUNT streams of URL with KEY, says so, and tells how many events came once its input ends. */
import http from 'node:http'
import process from 'node:process'

const [url = '', key = '', count = '0'] = process.argv.slice(2)
let events = 0

async function open(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  http.get(url, { agent: false, headers: { 'X-API-Key': key } }, resolve).once('error', reject)
  const response = await promise
  if (response.statusCode !== 200) throw new Error(`a stream was refused with ${response.statusCode}`)
  response.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf('data: '); at >= 0; at = chunk.indexOf('data: ', at + 1)) events++
  })
}

for (let n = 0; n < Number(count); n++) await open()
console.log('open')
process.stdin.resume().once('end', () => {
  console.log(String(events))
  process.exit()
})
