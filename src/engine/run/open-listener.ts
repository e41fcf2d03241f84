import { createServer } from 'node:net'

/**
 * A program: listens on 127.0.0.1:PORT of the network namespace it is started in, hands the listening socket to the
 * process at the other end of its IPC channel, and ends. The socket goes on accepting in that namespace.
 */
const server = createServer()
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  process.send?.('listener', server, {}, (error) => {
    server.close()
    process.disconnect()
    process.exitCode = error ? 1 : 0
  })
})
